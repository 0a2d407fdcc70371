-- What the checks by recsys_api.check_recall found, the latest first, for each band and strategy: recall, rows missing
-- and median milliseconds. is_latest marks the rows of the last check.
create or replace view recsys_report.recall_checks as
select c.checked_at, c.checked_at = max(c.checked_at) over () as is_latest, c.items, c.n, c.band, c.strategy,
    c.searches, c.recall, c.worst_recall, c.rows_missing, c.milliseconds
from recsys.recall_checks c
order by c.checked_at desc,
    array_position(array[
        '100 %', '50 to 100 %', '10 to 50 %', '3 to 10 %', '1 to 3 %', '0.1 to 1 %', 'below 0.1 %'], c.band),
    c.strategy;
