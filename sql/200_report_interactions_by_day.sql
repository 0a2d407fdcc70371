-- Interactions by day (UTC) and kind, with the people and items involved.
create or replace view recsys_report.interactions_by_day as
select (i.occurred_at at time zone 'UTC')::date as day, i.kind, count(*) as interactions,
    count(distinct i.user_id) as users, count(distinct i.item_id) as items
from recsys.interactions i
group by 1, 2;
