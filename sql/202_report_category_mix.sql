-- For each category: items, those in stock, interactions, and its share of all interactions.
create or replace view recsys_report.category_mix as
select c.category, c.items, c.items_in_stock, coalesce(a.interactions, 0) as interactions,
    round(coalesce(a.interactions, 0) / nullif(sum(a.interactions) over (), 0), 4) as interaction_share
from (select category, count(*) as items, count(*) filter (where in_stock) as items_in_stock
      from recsys.items group by category) c
left join (select i.category, count(*) as interactions
           from recsys.interactions a join recsys.items i on i.id = a.item_id group by i.category) a
    on a.category is not distinct from c.category;
