"""Full-text search beside the vectors, and the cache of query embeddings.

Revision ID: 0005
Revises: 0004
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def vector_schema() -> str:
    """The quoted name of the schema that holds pgvector, which need not be on any search_path."""
    statement = sa.text(
        "select quote_ident(n.nspname) from pg_extension e"
        " join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'"
    )
    return str(op.get_bind().scalar(statement))


LANGUAGE = """
create table recsys.catalogue_language (
    language           text not null,
    previous_language  text,
    is_only            boolean not null default true,
    constraint catalogue_language_pkey primary key (is_only),
    constraint catalogue_language_is_only_check check (is_only),
    constraint catalogue_language_previous_check check (previous_language <> language)
);
comment on table recsys.catalogue_language is
'The language that the catalogue is written in, in one row; recsys-pg language changes it.';
comment on column recsys.catalogue_language.language is
'Name of a text search configuration, with its schema unless that is pg_catalog.';
comment on column recsys.catalogue_language.previous_language is
'Set while items are still listed by the words of the language before, so that both are searched.';
comment on column recsys.catalogue_language.is_only is 'Keeps the table at one row.';
insert into recsys.catalogue_language (language) values ('english');

create function recsys.text_search_config(language text)
returns regconfig language sql stable strict parallel safe as $$
    select coalesce(
        (select c.oid::regconfig from pg_catalog.pg_ts_config c join pg_catalog.pg_namespace n on n.oid = c.cfgnamespace
         where case when n.nspname = 'pg_catalog' then c.cfgname::text
             else format('%I.%I', n.nspname, c.cfgname) end = text_search_config.language),
        'pg_catalog.simple'::regconfig)
$$;
comment on function recsys.text_search_config(text) is
'The text search configuration of a language of recsys.catalogue_language; pg_catalog.simple if it was dropped, so that the catalogue can still be written.';
"""

TEXTS = """
create function recsys.item_words(text text, length integer)
returns text language sql immutable parallel safe as $$
    select translate(left(text, length), '-/\\._@:&=<>#~', '             ')
$$;
comment on function recsys.item_words(text, integer) is
'A text of at most a length, cut at the characters by which the parser would make one word of several: DS-7604/A, node.js, a URL.';

create function recsys.title_words(language regconfig, title text)
returns tsvector language sql immutable parallel safe as $$
    select to_tsvector(language, recsys.item_words(title, 1000))
        || strip(to_tsvector('pg_catalog.simple', recsys.item_words(title, 1000)))
$$;
comment on function recsys.title_words(regconfig, text) is
'The words of a title: their stems, and for stop words and beginnings of words the words as they stand, without a place.';

create function recsys.item_document(
    language regconfig, title text, description text, category text, tags text[])
returns tsvector language sql immutable parallel safe as $$
    select setweight(recsys.title_words(language, title), 'A')
        || setweight(to_tsvector(language, recsys.item_words(concat_ws(' ', category, array_to_string(tags, ' ')), 5000)), 'B')
        || setweight(to_tsvector(language, recsys.item_words(coalesce(description, ''), 10000)), 'C')
$$;
comment on function recsys.item_document(regconfig, text, text, text, text[]) is
'The words of an item: of the title with weight A, of category and tags B, of the first 10,000 characters of the description C.';

create function recsys.text_key(text text)
returns text language sql immutable parallel safe as $$
    select lower(btrim(regexp_replace(text, '\\s+', ' ', 'g')))
$$;
comment on function recsys.text_key(text) is 'A text but for case and spaces, to compare by.';

create table recsys.item_texts (
    item_id      bigint not null,
    language     text not null,
    external_id  text,
    title_hash   uuid not null,
    title        tsvector not null,
    document     tsvector not null,
    constraint item_texts_pkey primary key (item_id),
    constraint item_texts_item_id_fkey foreign key (item_id)
        references recsys.items (id) on update cascade on delete cascade
);
comment on table recsys.item_texts is
'What text search finds an item by, in a narrow row of its own: recsys.items stays free of it, and cheap to update. Kept by triggers on recsys.items.';
comment on column recsys.item_texts.language is 'The language that the words were made by.';
comment on column recsys.item_texts.external_id is 'recsys.text_key(items.external_id): found whatever the case.';
comment on column recsys.item_texts.title_hash is 'MD5 of recsys.text_key(items.title).';
comment on column recsys.item_texts.title is 'recsys.title_words.';
comment on column recsys.item_texts.document is 'recsys.item_document.';
create policy item_texts_of_visible_items on recsys.item_texts
    using (exists (select from recsys.items i where i.id = item_texts.item_id));
comment on policy item_texts_of_visible_items on recsys.item_texts is
'Takes effect when row-level security is enabled for this table, which recsys-pg migrate does when it is for recsys.items.';
"""

TRIGGERS = """
create function recsys.keep_item_text() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
    language text := (select l.language from recsys.catalogue_language l);
    config   regconfig := recsys.text_search_config(language);
begin
    insert into recsys.item_texts (item_id, language, external_id, title_hash, title, document)
    values (new.id, language, recsys.text_key(new.external_id), md5(recsys.text_key(new.title))::uuid,
        recsys.title_words(config, new.title),
        recsys.item_document(config, new.title, new.description, new.category, new.tags))
    on conflict (item_id) do update set (language, external_id, title_hash, title, document) =
        (excluded.language, excluded.external_id, excluded.title_hash, excluded.title, excluded.document);
    return null;
end $$;
comment on function recsys.keep_item_text() is
'Keeps recsys.item_texts in step with recsys.items. Security definer: who writes the catalogue needs no right on the copy.';

create function recsys.keep_new_item_texts() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
begin
    insert into recsys.item_texts (item_id, language, external_id, title_hash, title, document)
    select i.id, l.language, recsys.text_key(i.external_id), md5(recsys.text_key(i.title))::uuid,
        recsys.title_words(c.config, i.title),
        recsys.item_document(c.config, i.title, i.description, i.category, i.tags)
    from new_items i, recsys.catalogue_language l, recsys.text_search_config(l.language) c (config);
    return null;
end $$;
comment on function recsys.keep_new_item_texts() is
'Adds new items to recsys.item_texts, a statement at a time. Security definer: who writes the catalogue needs no right on the copy.';
create trigger items_60_keep_new_texts after insert on recsys.items
    referencing new table as new_items
    for each statement execute function recsys.keep_new_item_texts();
create trigger items_60_keep_changed_text after update of external_id, title, description, category, tags on recsys.items
    for each row when ((old.external_id, old.title, old.description, old.category, old.tags)
        is distinct from (new.external_id, new.title, new.description, new.category, new.tags))
    execute function recsys.keep_item_text();
"""

FILL = """
insert into recsys.item_texts (item_id, language, external_id, title_hash, title, document)
select i.id, l.language, recsys.text_key(i.external_id), md5(recsys.text_key(i.title))::uuid,
    recsys.title_words(c.config, i.title),
    recsys.item_document(c.config, i.title, i.description, i.category, i.tags)
from recsys.items i, recsys.catalogue_language l, recsys.text_search_config(l.language) c (config)
order by i.id;
create index item_texts_title_idx on recsys.item_texts using gin (title) with (gin_pending_list_limit = 512);
create index item_texts_document_idx on recsys.item_texts using gin (document) with (gin_pending_list_limit = 512);
create index item_texts_title_hash_idx on recsys.item_texts (title_hash);
create index item_texts_external_id_idx on recsys.item_texts (external_id) where external_id is not null;
"""

QUERIES = """
create table recsys.query_embeddings (
    model_id      bigint not null,
    query_hash    uuid not null generated always as (md5(query)::uuid) stored,
    query         text not null,
    embedding     {vector}.vector(384) not null,
    created_at    timestamptz not null default now(),
    last_used_at  timestamptz not null default now(),
    constraint query_embeddings_pkey primary key (model_id, query_hash),
    constraint query_embeddings_model_id_fkey foreign key (model_id) references recsys.models (id) on delete cascade,
    constraint query_embeddings_query_check check (length(query) between 1 and 1000),
    constraint query_embeddings_embedding_norm_check check ({vector}.vector_norm(embedding) between 0.999 and 1.001)
);
alter table recsys.query_embeddings alter column embedding set storage plain;
create index query_embeddings_last_used_at_idx on recsys.query_embeddings (last_used_at, query_hash);
comment on table recsys.query_embeddings is
'Embeddings of texts that were searched for, so that SQL alone can search for them again; the least recently used make room. Safe to empty.';
comment on column recsys.query_embeddings.query is 'recsys.text_key of the text.';
comment on column recsys.query_embeddings.last_used_at is 'To the day: searches in SQL write nothing, those in Python at most once a day.';

insert into recsys.settings (key, value, description) values
    ('search.cached_queries', '10000', 'Embeddings of search texts that are kept, about 2 KB each; 0 keeps none.');
"""


def upgrade() -> None:
    vector = vector_schema()
    for block in (LANGUAGE, TEXTS, TRIGGERS, FILL):
        op.execute(sa.text(block.replace(":", r"\:")))
    op.execute(sa.text(QUERIES.format(vector=vector).replace(":", r"\:")))


def downgrade() -> None:
    op.execute(
        """
        delete from recsys.settings where key = 'search.cached_queries';
        drop table recsys.query_embeddings;
        drop trigger items_60_keep_new_texts on recsys.items;
        drop trigger items_60_keep_changed_text on recsys.items;
        drop function recsys.keep_item_text(), recsys.keep_new_item_texts();
        drop table recsys.item_texts;
        drop function recsys.item_document(regconfig, text, text, text, text[]), recsys.title_words(regconfig, text),
            recsys.item_words(text, integer), recsys.text_key(text), recsys.text_search_config(text);
        drop table recsys.catalogue_language;
        """
    )
