-- Private. Re-ranks candidates by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): each next item
-- maximises (1 - diversity) * relevance - diversity * largest cosine to an item already chosen, relevance being the
-- score scaled to 0 … 1. Items without an embedding resemble nothing. Returns the first n in order.
create or replace function recsys_api._diversify(
    item_ids bigint[], scores double precision[], n integer, diversity double precision)
returns bigint[]
language plpgsql stable
set search_path from current
as $$
declare
    vectors    vector[];
    relevance  double precision[];
    nearest    double precision[];
    chosen     bigint[] := '{}';
    lowest     double precision := (select min(s) from unnest(scores) s);
    span       double precision := nullif((select max(s) from unnest(scores) s) - lowest, 0);
    best       integer;
begin
    select array_agg(i.embedding order by c.position), array_agg(coalesce((c.score - lowest) / span, 1) order by c.position),
        array_agg(0.0 order by c.position)
    into vectors, relevance, nearest
    from unnest(item_ids, scores) with ordinality c (id, score, position)
    join recsys.items i on i.id = c.id;

    for step in 1 .. least(n, cardinality(item_ids)) loop
        select c.position into best
        from unnest(relevance, nearest) with ordinality c (relevance, nearest, position)
        where c.relevance is not null
        order by (1 - diversity) * c.relevance - diversity * c.nearest desc, c.position
        limit 1;
        chosen := chosen || item_ids[best];
        relevance[best] := null;
        select array_agg(greatest(c.nearest, coalesce(1 - (c.vector <=> vectors[best]), 0)) order by c.position)
        into nearest
        from unnest(nearest, vectors) with ordinality c (nearest, vector, position);
    end loop;
    return chosen;
end $$;
