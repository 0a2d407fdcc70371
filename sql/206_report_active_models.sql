-- The embedding model and the item graph that recommendations are made with now.
create or replace view recsys_report.active_models as
select m.purpose, m.name, m.revision, m.parameters, m.metrics, m.created_at
from recsys.models m
where m.is_active;
