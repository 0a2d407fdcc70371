-- The vector index of the items is built with more care than pgvector's default: the same recall for half the walk. An
-- index that is there takes it for new rows, and for all when it is rebuilt. Last of all, since it keeps readers out
-- until the migration is committed; a choice of the operator's own is left alone.
do $$
begin
    if exists (
        select from pg_class c
        where c.oid = to_regclass('recsys.items_embedding_idx')
            and not coalesce(c.reloptions::text, '') like '%ef_construction=%')
    then
        alter index recsys.items_embedding_idx set (ef_construction = 200);
    end if;
end $$;
