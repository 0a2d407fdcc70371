-- For each embedding model: vectors, jobs that wait or failed for good, the oldest waiting job and its age in seconds.
-- Searches use the vectors of the active model; those of the standby model are kept for recsys-pg model switch.
create or replace view recsys_report.embedding_status as
select m.name as model, m.is_active, coalesce(i.embedded, 0) as embedded, coalesce(j.pending, 0) as pending,
    coalesce(j.failed, 0) as failed, j.oldest_pending_at,
    extract(epoch from now() - j.oldest_pending_at)::double precision as oldest_pending_seconds, m.is_standby
from recsys.models m
left join (select e.model_id, count(*) as embedded
           from recsys.items i
           cross join lateral (values (i.embedding_model_id), (i.standby_embedding_model_id)) e (model_id)
           where e.model_id is not null group by e.model_id) i on i.model_id = m.id
left join (select model_id, count(*) filter (where failed_at is null) as pending,
               count(*) filter (where failed_at is not null) as failed,
               min(requested_at) filter (where failed_at is null) as oldest_pending_at
           from recsys.embedding_jobs group by model_id) j on j.model_id = m.id
where m.purpose = 'embedding';
