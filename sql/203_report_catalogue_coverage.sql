-- One row: how much of the catalogue each source of recommendations can reach.
create or replace view recsys_report.catalogue_coverage as
select count(*) as items,
    count(i.embedding) as items_with_embedding,
    count(n.item_id) as items_with_neighbors,
    count(p.item_id) as items_with_positive_interactions,
    count(*) filter (where i.embedding is null and n.item_id is null) as items_by_popularity_only
from recsys.items i
left join recsys.models m on m.purpose = 'collaborative' and m.is_active
left join recsys.item_neighbors n on n.model_id = m.id and n.item_id = i.id
left join recsys.item_popularity p on p.item_id = i.id;
