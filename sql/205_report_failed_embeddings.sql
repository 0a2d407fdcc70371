-- The dead letters: items that could not be embedded, with the last error. Requeue them with recsys-pg requeue.
create or replace view recsys_report.failed_embeddings as
select j.item_id, i.external_id, i.title, m.name as model, j.attempts, j.last_error, j.failed_at
from recsys.embedding_jobs j
join recsys.items i on i.id = j.item_id
join recsys.models m on m.id = j.model_id
where j.failed_at is not null;
