-- Roles of groups, of readers and of SQL users. Read by hawk/warehouse/row_security.py, which runs it as `hawk_roles`,
-- the one role that may make roles; it owns these functions and nothing else.

-- A role for each group that a model, a benchmark or an access set names.
create or replace function ops.make_group_roles() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    missing record;
begin
    for missing in
        select known.model_group
        from (
            select model_group from ops.model_group
            union select model_group from ops.benchmark_group
            union select unnest(required_groups) from ops.access_set
        ) as known
        where known.model_group not in ('', '__unresolved__')
            and not exists (select from pg_roles where rolname = ops.group_role(known.model_group))
    loop
        begin
            execute format('create role %I nologin', ops.group_role(missing.model_group));
        exception when duplicate_object or unique_violation then
            null;  -- another session was first
        end;
    end loop;
end
$$;

create or replace function ops.follow_groups() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform ops.make_group_roles();
    return null;
end
$$;

-- The role that sees what holders of these groups see, for programs that read for somebody: they take it for a
-- transaction. Groups that nothing is of have no role, and do not count.
create or replace function ops.reader_role(held_groups text[]) returns name
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    groups text[] := array(
        select distinct held from unnest(held_groups) as given (held)
        where held not in ('', '__unresolved__')
            and exists (select from pg_roles where rolname = ops.group_role(held))
        order by 1
    );
    role_name name := 'hawk_reader_' || left(encode(sha256(convert_to(to_jsonb(groups)::text, 'UTF8')), 'hex'), 32);
    held text;
begin
    if exists (select from pg_roles where rolname = role_name) then
        return role_name;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('ops.reader_role', 0));
    if exists (select from pg_roles where rolname = role_name) then
        return role_name;
    end if;
    execute format('create role %I nologin', role_name);
    execute format('grant hawk_reader to %I with inherit true, set false', role_name);
    foreach held in array groups loop
        execute format('grant %I to %I with inherit true, set false', ops.group_role(held), role_name);
    end loop;
    execute format('grant %I to hawk_api, hawk_viewer with inherit false, set true', role_name);
    return role_name;
end
$$;

-- A person's own role for SQL, a member of the groups that he holds now and no others; made if it is not there.
create or replace function ops.confirm_sql_user(of_subject text, held_groups text[], days double precision)
returns name
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    role_name name := 'hawk_user_' || left(encode(sha256(convert_to(of_subject, 'UTF8')), 'hex'), 16);
    change record;
begin
    perform pg_advisory_xact_lock(hashtextextended('ops.confirm_sql_user', 0));
    if not exists (select from pg_roles where rolname = role_name) then
        execute format('create role %I nologin connection limit 10', role_name);
        execute format('grant hawk_reader to %I with inherit true, set false', role_name);
    end if;
    for change in
        with wanted as (
            select role.oid, role.rolname from unnest(held_groups) as given (held)
            inner join pg_roles as role on role.rolname = ops.group_role(held)
            where held not in ('', '__unresolved__')
        ),
        present as (
            select role.oid, role.rolname from pg_auth_members as membership
            inner join pg_roles as role on role.oid = membership.roleid
            where membership.member = (select oid from pg_roles where rolname = role_name)
                and role.rolname like 'hawk\_group\_%'
        )
        select coalesce(wanted.rolname, present.rolname) as rolname, present.oid is null as is_new
        from wanted full join present using (oid)
        where wanted.oid is null or present.oid is null
    loop
        if change.is_new then
            execute format('grant %I to %I with inherit true, set false', change.rolname, role_name);
        else
            execute format('revoke %I from %I', change.rolname, role_name);
        end if;
    end loop;
    insert into ops.sql_user (subject, role_name, model_groups, confirmed_at, confirmed_until)
    values (of_subject, role_name, ops.sorted_names(held_groups), now(), now() + make_interval(secs => days * 86400))
    on conflict (subject) do update set
        model_groups = excluded.model_groups, confirmed_at = now(), confirmed_until = excluded.confirmed_until;
    return role_name;
end
$$;

-- Lets a confirmed SQL user sign in: with a password, of which this is the SCRAM verifier, or where it is null by IAM.
create or replace function ops.let_sql_user_sign_in(of_subject text, verifier text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    person ops.sql_user;
begin
    select * into strict person from ops.sql_user where subject = of_subject;
    if verifier is null then
        execute format('alter role %I login password null valid until %L', person.role_name, 'infinity');
        execute format('grant rds_iam to %I', person.role_name);
        return;
    end if;
    if verifier not like 'SCRAM-SHA-256$%' then
        raise exception 'a password comes as its SCRAM verifier';
    end if;
    execute format('alter role %I login password %L valid until %L', person.role_name, verifier, person.confirmed_until);
end
$$;

-- Nobody signs in by this role any more, and it is a member of nothing. Sessions that it has see nothing from now on.
create or replace function ops.end_sql_user(of_subject text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    person ops.sql_user;
begin
    select * into person from ops.sql_user where subject = of_subject;
    if person is null then
        return;
    end if;
    perform ops.confirm_sql_user(of_subject, '{}', 0);
    execute format('alter role %I nologin password null', person.role_name);
end
$$;
