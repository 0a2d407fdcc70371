-- Private. Refuses controls that are out of range (RS010), naming the first. NULL is none.
create or replace function recsys_api._check_controls(controls recsys_api._controls)
returns void
language plpgsql immutable parallel safe
set search_path from current
as $$
declare
    wrong  record;
begin
    if controls.method not in ('hybrid', 'item_based', 'user_based', 'content', 'popular') then
        raise exception using errcode = 'RS010',
            message = format('method is %s', quote_literal(left(controls.method, 100))),
            hint = 'Pass hybrid, item_based, user_based, content or popular.';
    end if;
    -- "not between" is true of NaN
    if controls.diversity not between 0 and 1 or controls.popularity_damping not between 0 and 1
        or controls.rotation not between 0 and 1 or controls.new_item_share not between 0 and 1
    then
        select c.name, c.share, c.meaning into wrong
        from (values
            (1, 'diversity', controls.diversity, '0 ranks by score alone, 1 by difference alone.'),
            (2, 'popularity_damping', controls.popularity_damping, '0 damps nothing, 1 divides scores by popularity.'),
            (3, 'rotation', controls.rotation, '0 changes nothing, 1 sends what was just shown behind all else that has a score.'),
            (4, 'new_item_share', controls.new_item_share, '0.1 gives every tenth place to an item that few know yet.')
        ) c (place, name, share, meaning)
        where c.share not between 0 and 1 order by c.place limit 1;
        raise exception using errcode = 'RS010',
            message = format('%s is %s, not between 0 and 1', wrong.name, wrong.share), hint = wrong.meaning;
    end if;
    if controls.max_per_category not between 1 and 1000 then
        raise exception using errcode = 'RS010',
            message = format('max_per_category is %s, not between 1 and 1000', controls.max_per_category),
            hint = 'It is the number of rows of one category in a list. To leave a category out, use the filter.';
    end if;
    if controls.rotation_half_life not between interval '1 second' and interval '10 years' then
        raise exception using errcode = 'RS010',
            message = format('rotation_half_life is %s, not between 1 second and 10 years', controls.rotation_half_life),
            hint = 'It is the time after which having been shown counts half, such as interval ''1 day''.';
    end if;
end $$;
