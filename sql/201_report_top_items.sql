-- Items with interactions: how many, by how many people, the last one, and the popularity rank that popular_items uses.
create or replace view recsys_report.top_items as
select i.id as item_id, i.external_id, i.title, i.category, a.interactions, a.users, a.last_interaction_at,
    p.popularity_rank
from (select item_id, count(*) as interactions, count(distinct user_id) as users,
          max(occurred_at) as last_interaction_at
      from recsys.interactions group by item_id) a
join recsys.items i on i.id = a.item_id
left join (select item_id, row_number() over (order by log2_weight desc, item_id) as popularity_rank
           from recsys.item_popularity) p on p.item_id = i.id;
