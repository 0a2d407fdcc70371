-- Private. What the fields of an item say, one text a fact: its category, tags, and the scalars in its attributes, alone or
-- in lists. Numbers are left out: as texts they are names, and two prices that differ have nothing to do with each other.
create or replace function recsys_api._features(category text, tags text[], attributes jsonb)
returns text[]
language sql immutable parallel safe
set search_path from current
as $$
    select coalesce(array_agg(distinct f.feature), '{}')
    from (
        select 'category=' || category as feature
        union all select 'tag=' || t.tag from unnest(tags) t (tag)
        union all select a.key || '=' || (v.value #>> '{}')
        from jsonb_each(attributes) a
        cross join lateral jsonb_array_elements(
            case jsonb_typeof(a.value) when 'array' then a.value else jsonb_build_array(a.value) end) v (value)
        where jsonb_typeof(v.value) in ('string', 'boolean')
    ) f
    where length(f.feature) between 1 and 255
$$;
