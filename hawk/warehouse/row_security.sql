-- Who may see which rows. Read by hawk/warehouse/row_security.py, which runs it as the role that owns the tables; each
-- statement may run again. Functions that read for somebody else have a fixed search_path and ask session_user.

-- The groups one must hold, all of them, for what is of these models. A model without a group adds one that nobody has.
create or replace function ops.required_groups(model_names text[], other_groups text[]) returns text[]
language sql stable set search_path = pg_catalog, pg_temp as $$
    select array(
        select distinct coalesce(nullif(required.model_group, ''), '__unresolved__') as model_group
        from (
            select registered.model_group
            from unnest(model_names) as named (model_name)
            left join ops.model_group as registered using (model_name)
            union all
            select unnest(other_groups)
        ) as required
        order by 1
    )
$$;

create or replace function ops.sorted_names(names text[]) returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select array(select distinct name from unnest(names) as given (name) where name is not null order by 1)
$$;

-- The access set of these models and other groups, made if it is not there. Changes of the registry wait for it.
create or replace function ops.access_set_of(given_models text[], given_groups text[]) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    -- What Inspect names the model of tasks that call none.
    models text[] := array(
        select name from unnest(ops.sorted_names(given_models)) as named (name)
        where name not in ('', 'none', 'none/none')
    );
    other text[] := ops.sorted_names(given_groups);
    print text := encode(sha256(convert_to(jsonb_build_array(models, other)::text, 'UTF8')), 'hex');
    found integer;
begin
    select access_set_id into found from ops.access_set where fingerprint = print;
    if found is not null then
        return found;
    end if;
    perform pg_advisory_xact_lock_shared(hashtextextended('ops.model_group', 0));
    insert into ops.access_set (fingerprint, model_names, other_groups, required_groups)
    values (print, models, other, ops.required_groups(models, other))
    on conflict (fingerprint) do nothing;
    select access_set_id into strict found from ops.access_set where fingerprint = print;
    return found;
end
$$;

-- The registry has changed: so have the groups that access sets and eval sets require.
create or replace function ops.follow_registry() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('ops.model_group', 0));
    update ops.access_set set required_groups = ops.required_groups(model_names, other_groups)
    where required_groups <> ops.required_groups(model_names, other_groups);
    update ops.eval_set set model_groups = ops.required_groups(model_names, other_groups)
    where (model_groups <> '{}' or origin = 'listing')
        and model_groups <> ops.required_groups(model_names, other_groups);
    return null;
end
$$;
create or replace trigger access_follows_registry
after insert or update or delete or truncate on ops.model_group
for each statement execute function ops.follow_registry();

-- A set's groups are those of its models, and others: of its benchmarks, and what was declared besides. A group that is
-- some benchmark's too stays when its model leaves it.
create or replace function ops.place_eval_set() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.other_groups := array(
        select distinct declared.model_group
        from unnest(new.model_groups) as declared (model_group)
        where declared.model_group in (select model_group from ops.benchmark_group)
            or declared.model_group <> all (ops.required_groups(new.model_names, '{}'))
            or (tg_op = 'UPDATE' and declared.model_group = any (old.other_groups))
        order by 1
    );
    if new.origin = 'listing' then
        new.model_groups := ops.required_groups(new.model_names, new.other_groups);
    end if;
    new.access_set_id := ops.access_set_of(new.model_names, new.other_groups);
    return new;
end
$$;
create or replace trigger eval_set_has_its_access
before insert or update of model_names, model_groups, origin on ops.eval_set
for each row execute function ops.place_eval_set();

-- An eval is of its own models, those that its samples called, and all of its set, unless that is known by logs only.
create or replace function ops.access_set_of_import(of_import bigint, of_eval_set text) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    named text[] := '{}';
    other text[] := '{}';
begin
    -- Whoever changes the set waits, and then sees this import.
    select case when origin = 'listing' then '{}' else model_names end, other_groups into named, other
    from ops.eval_set where eval_set_id = of_eval_set for share;
    return ops.access_set_of(
        coalesce(named, '{}') || array(
            select model from raw.eval where import_id = of_import
            union select model from raw.eval_model where import_id = of_import
            union select model from raw.eval_model_role where import_id = of_import
            union select model from raw.eval_model_usage where import_id = of_import
            union select model from raw.sample_model_usage where import_id = of_import
        ),
        coalesce(other, '{}')
    );
end
$$;

create or replace function ops.place_import() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update raw.eval_import
    set access_set_id = ops.access_set_of_import(new.import_id, new.eval_set_id)
    where import_id = new.import_id;
    return null;
end
$$;
-- Once the import's rows are there, at the end of its transaction.
drop trigger if exists import_has_its_access on raw.eval_import;
create constraint trigger import_has_its_access after insert on raw.eval_import
deferrable initially deferred for each row execute function ops.place_import();

-- A set's models or other groups have changed: so have those of its evals, here and in the marts.
create or replace function ops.follow_eval_set() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    moved record;
    mart record;
begin
    for moved in
        update raw.eval_import as changed set access_set_id = placed.access_set_id
        from (
            select import_id, ops.access_set_of_import(import_id, eval_set_id) as access_set_id
            from raw.eval_import where eval_set_id = new.eval_set_id and access_set_id is not null
        ) as placed
        where changed.import_id = placed.import_id and changed.access_set_id is distinct from placed.access_set_id
        returning changed.import_id, changed.access_set_id
    loop
        for mart in select relation from ops.tables_with_columns('marts', '{import_id,access_set_id}') loop
            execute format('update %s set access_set_id = $1 where import_id = $2', mart.relation)
            using moved.access_set_id, moved.import_id;
        end loop;
    end loop;
    for mart in select relation from ops.tables_with_columns('marts', '{eval_set_id,access_set_ids}') loop
        execute format('update %s set access_set_ids = access_set_ids || $1 where eval_set_id = $2', mart.relation)
        using new.access_set_id, new.eval_set_id;
    end loop;
    return null;
end
$$;
create or replace trigger evals_follow_their_set after update on ops.eval_set
for each row
when (
    (old.other_groups, old.origin) is distinct from (new.other_groups, new.origin)
    or new.origin <> 'listing' and old.model_names <> new.model_names
)
execute function ops.follow_eval_set();

create or replace function ops.tables_with_columns(of_schema text, wanted text[])
returns table (relation regclass)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select class.oid::regclass from pg_class as class
    where class.relnamespace = to_regnamespace(of_schema) and class.relkind in ('r', 'p')
        and wanted <@ array(
            select attname::text from pg_attribute where attrelid = class.oid and attnum > 0 and not attisdropped
        )
$$;

create or replace function ops.group_role(model_group text) returns name
language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    select ('hawk_group_' || left(encode(sha256(convert_to(model_group, 'UTF8')), 'hex'), 32))::name
$$;

-- The access sets that a role sees: all of whose groups it has. One may ask for roles that one is a member of only.
-- A SQL user whose groups nobody has confirmed for too long sees nothing, whatever role he takes.
create or replace function ops.visible_access_sets(reader name) returns integer[]
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
    with held as materialized (
        select known.model_group
        from (select distinct unnest(required_groups) as model_group from ops.access_set) as known
        inner join pg_roles as role on role.rolname = ops.group_role(known.model_group)
        where known.model_group not in ('', '__unresolved__') and pg_has_role(reader, role.oid, 'USAGE')
    )
    select coalesce(array_agg(access_set.access_set_id), '{}')
    from ops.access_set
    where pg_has_role(session_user, reader, 'MEMBER')
        and not exists (
            select 1 from ops.sql_user
            where sql_user.role_name in (session_user, reader) and sql_user.confirmed_until < now()
        )
        and (
            (
                access_set.required_groups <> '{}'
                and access_set.required_groups <@ (select coalesce(array_agg(model_group), '{}') from held)
            )
            or reader = 'hawk_writer'
            or exists (select 1 from pg_roles where rolname = reader and (rolsuper or rolbypassrls))
        )
$$;

-- The same as a bit for each id, which a policy looks up in the same time however many sets there are.
create or replace function ops.visible_bits(reader name) returns bit varying
language sql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(
        string_agg(case when seen.id is null then '0' else '1' end, '' order by number.id)::bit varying, B'0'
    )
    from generate_series(0, (select max(access_set_id) from ops.access_set)) as number (id)
    left join unnest(ops.visible_access_sets(reader)) as seen (id) using (id)
$$;

-- Policy, grants and forced row security for a table, by the column that says whose its rows are; a view runs with the
-- rights of who reads it. Does nothing where all is so. Raises where rows have no such column.
create or replace function ops.protect_rows(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
    columns text[];
    condition text;
begin
    select * into strict class from pg_class where oid = relation;
    -- The owner's role keeps what dbt built by another login, such as an administrator's.
    if class.relowner <> 'hawk_writer'::regrole and pg_has_role(current_user, 'hawk_writer', 'SET') then
        execute format('alter table %s owner to hawk_writer', relation);
    end if;
    if class.relkind = 'v' then
        if not coalesce(class.reloptions @> '{security_invoker=true}', false) then
            execute format('alter view %s set (security_invoker = true)', relation);
        end if;
        execute format('grant select on %s to hawk_reader', relation);
        return;
    end if;
    columns := array(
        select attname::text from pg_attribute where attrelid = relation and attnum > 0 and not attisdropped
    );
    condition := case
        when 'access_set_id' = any (columns) then
            'case when get_bit((select ops.visible_bits(current_user)), access_set_id) = 1 then true else false end'
        when 'access_set_ids' = any (columns) then
            'case when access_set_ids <> ''{}'' and access_set_ids <@ (select ops.visible_access_sets(current_user))'
            ' then true else false end'
        when class.relnamespace = 'raw'::regnamespace and 'import_id' = any (columns) then
            format('exists (select from raw.eval_import as seen where seen.import_id = %I.import_id)', class.relname)
        when class.relnamespace <> 'raw'::regnamespace and 'eval_set_id' = any (columns) then
            format('exists (select from ops.eval_set as seen where seen.eval_set_id = %I.eval_set_id)', class.relname)
        when relation = to_regclass('marts.dim_model_price') then
            'exists (select from ops.model_group as seen where seen.model_name = dim_model_price.model)'
        when relation = 'ops.model_group'::regclass then
            'pg_has_role((select oid from pg_roles where rolname = ops.group_role(model_group)), ''USAGE'')'
    end;
    if condition is null then
        raise exception 'nothing says who may see the rows of %', relation
            using hint = 'Give it access_set_id, access_set_ids where a row is made of several evals, or eval_set_id.';
    end if;
    if not exists (
        select from pg_policy where polrelid = relation and obj_description(oid, 'pg_policy') = md5(condition)
    ) then
        execute format('drop policy if exists seen_by_groups on %s', relation);
        execute format('create policy seen_by_groups on %s for select to hawk_reader using (%s)', relation, condition);
        execute format('comment on policy seen_by_groups on %s is %L', relation, md5(condition));
    end if;
    perform ops.close_rows(relation);
    if not has_table_privilege('hawk_reader', relation, 'SELECT') then
        execute format('grant select on %s to hawk_reader', relation);
    end if;
end
$$;

-- Row security without a policy of its own: nobody sees a row but who stands above policies.
create or replace function ops.close_rows(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    class pg_class;
    is_forced boolean := (select rolbypassrls from pg_roles where rolname = 'hawk_writer');
begin
    select * into strict class from pg_class where oid = relation;
    if not class.relrowsecurity then
        execute format('alter table %s enable row level security', relation);
    end if;
    if class.relnamespace <> 'ops'::regnamespace and class.relforcerowsecurity <> is_forced then
        execute format(
            'alter table %s %s row level security', relation, case when is_forced then 'force' else 'no force' end
        );
    end if;
end
$$;

-- Finds messages by their words, for a role that one is a member of. The index of words is nobody's to read, since
-- Postgres would not use it under a policy: @@ is not leakproof.
create or replace function raw.find_messages_for(
    reader name, wanted tsquery, of_eval_sets text[], after_import bigint, after_sample text, after_message integer,
    most_of_a_sample integer, most integer
) returns table (import_id bigint, sample_uuid text, message_index integer)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select hits.import_id, hits.sample_uuid, hits.message_index
    from (
        select search.import_id, search.sample_uuid, search.message_index,
            row_number() over (
                partition by search.import_id, search.sample_uuid order by search.message_index
            ) as place
        from raw.message_search as search
        where search.words @@ wanted
            and (after_import is null or search.import_id <= after_import)
            and search.import_id in (
                select known.import_id
                from raw.eval_import as known
                where known.access_set_id = any ((select ops.visible_access_sets(reader))::integer[])
                    and (of_eval_sets is null or known.eval_set_id = any(of_eval_sets))
            )
    ) as hits
    where hits.place <= most_of_a_sample
        and (
            after_import is null
            or hits.import_id < after_import
            or (hits.sample_uuid, hits.message_index) > (after_sample, after_message)
        )
    order by hits.import_id desc, hits.sample_uuid, hits.message_index
    limit most
$$;

create or replace function raw.find_messages(
    wanted tsquery, of_eval_sets text[], after_import bigint, after_sample text, after_message integer,
    most_of_a_sample integer, most integer
) returns table (import_id bigint, sample_uuid text, message_index integer)
language sql stable as $$
    select found.* from raw.find_messages_for(
        current_user, wanted, of_eval_sets, after_import, after_sample, after_message, most_of_a_sample, most
    ) as found
$$;
