use super::*;

fn print(text: &str) -> Result<String> {
    let columns = ["ID", "NAME", "GRP", "UPD", "DOC", "odd name", "Mixed"].map(str::to_owned);
    let staging = Name::schema("RAW", "D_STAGING").object("_SNOWCAT__T");
    RowCondition::parse(text)?.sql(Scoped { columns: &columns, staging: &staging })
}

#[test]
fn parsed_conditions_are_printed() {
    let check = |text: &str, expect: &str| assert_eq!(print(text).as_deref(), Ok(expect), "{text}");
    check("id > 1", r#"("ID" > 1)"#);
    check("name <> 'b' AND id < 4", r#"(("NAME" <> 'b') AND ("ID" < 4))"#);
    check("NOT (id = 1 or grp != 'it''s')", r#"(NOT (("ID" = 1) OR ("GRP" <> 'it''s')))"#);
    check("not not id = 1", r#"("ID" = 1)"#);
    check("not not not id = 1", r#"(NOT ("ID" = 1))"#);
    check("a_b is null".replace("a_b", "name").as_str(), r#"("NAME" IS NULL)"#);
    check("name IS NOT DISTINCT FROM grp", r#"("NAME" IS NOT DISTINCT FROM "GRP")"#);
    check("id NOT BETWEEN -1 AND 2 * 3 + 1", r#"("ID" NOT BETWEEN (-1) AND ((2 * 3) + 1))"#);
    check("name LIKE 'a\\\\%' ESCAPE '\\\\'", r#"("NAME" LIKE 'a\\%' ESCAPE '\\')"#);
    check("name not ilike 'A%'", r#"("NAME" NOT ILIKE 'A%')"#);
    check("id IN (1, 2.5, 1e3)", r#"("ID" IN (1, 2.5, 1e3))"#);
    check("\"odd name\" = \"Mixed\"", r#"("odd name" = "Mixed")"#);
    check("mixed = 'x'", r#"("Mixed" = 'x')"#);
    check("{table}.id = 1", r#"("ID" = 1)"#);
    check(
        "id IN (SELECT id FROM {staging_table} WHERE name = 'a2')",
        r#"("ID" IN (SELECT "ID" FROM "RAW"."D_STAGING"."_SNOWCAT__T" WHERE ("NAME" = 'a2')))"#,
    );
    check(
        "upd >= DATEADD(day, -7, CURRENT_DATE())",
        r#"("UPD" >= DATEADD(DAY, (-7), CURRENT_DATE))"#,
    );
    check("upper(name) || 'x' = 'AX'", r#"((UPPER("NAME") || 'x') = 'AX')"#);
    check("upd::date = '2024-01-01'", r#"(CAST("UPD" AS DATE) = '2024-01-01')"#);
    check("CAST(id AS NUMBER(10, 2)) > 0", r#"(CAST("ID" AS NUMBER(10, 2)) > 0)"#);
    check("doc:a.b[0]::VARCHAR = 'x'", r#"(CAST("DOC":"a"."b"[0] AS VARCHAR) = 'x')"#);
    check("id = 1 + 2 + 3 - 4 - 5", r#"("ID" = ((1 + 2 + 3) - 4 - 5))"#);
    check("id = 1 - (2 - 3)", r#"("ID" = (1 - (2 - 3)))"#);
    check("id = 1 OR id = 2 OR id = 3", r#"(("ID" = 1) OR ("ID" = 2) OR ("ID" = 3))"#);
    check("(id = 1) = (id = 2)", r#"(("ID" = 1) = ("ID" = 2))"#);
    check("TRUE", "TRUE");
    check("id = 1 OR id = 2 AND id = 3", r#"(("ID" = 1) OR (("ID" = 2) AND ("ID" = 3)))"#);
}

#[test]
fn the_largest_condition_is_printed() {
    let sum = print(&format!("id = 1{}", " + 1".repeat(199))).unwrap();
    assert_eq!(sum.matches(" + 1").count(), 199);
    let nested = print(&format!("{}id = 1{}", "(".repeat(63), ")".repeat(63)));
    assert_eq!(nested.as_deref(), Ok(r#"("ID" = 1)"#));
}

#[test]
fn other_sql_is_rejected_with_its_position() {
    let check = |text: &str, expect: &str| {
        let found = print(text).map_err(|fault| fault.to_string());
        assert!(matches!(&found, Err(message) if message.contains(expect)), "{text}: {found:?}");
    };
    // Other tables, other statements, and unbalanced parentheses.
    check("EXISTS (SELECT 1 FROM FINANCE.HR.PAY)", "expected one of the functions");
    check(
        "(SELECT LISTAGG(who, ',') FROM finance.hr.pay)::NUMBER > 1",
        "found SELECT at character 2",
    );
    check(
        "id IN (SELECT id FROM finance.hr.pay)",
        "expected {staging_table}, the only table of a subquery, found finance",
    );
    check("id IN (SELECT id FROM {table})", "expected {staging_table}, the only table");
    check(
        "id IN (SELECT id FROM {staging_table} WHERE id IN (SELECT id FROM {staging_table}))",
        "no subquery in a subquery",
    );
    check("TRUE), FALSE)) OR 1 IN (SELECT 1 FROM x)", "expected AND, OR or the end, found )");
    check("TRUE; DROP TABLE x", "found ';' at character 5");
    check("id = 1 -- x", "expected a condition without comments, found \"--\" at character 8");
    check("id = 1 /* x */", "without comments");
    // Functions that reveal or change something.
    for call in [
        "CURRENT_ROLE() = 'SNOWCAT_OWNER'",
        "CURRENT_USER() = 'x'",
        "SYSTEM$WAIT(60) = 'x'",
        "id = my_udf(1)",
        "GET_DDL('table', 'x') = ''",
        "id = RANDOM()",
        "id = SEQ4()",
        "id = s.nextval",
    ] {
        print(call).unwrap_err();
    }
    check(
        "current_role = 'x'",
        "expected a column of the table, found \"current_role\" at character 1",
    );
    check("finance.pay = 1", "expected a column of the table alone");
    check("id = $1", "found '$'");
    check("id = ?", "found '?'");
    check("id = @stage", "found '@'");
    check("nothing = 1", "the columns are ID, NAME, GRP");
    check("id =", "expected a column or a value, found the end");
    check("id IN ()", "expected a column or a value, found )");
    check("id BETWEEN 1", "expected AND, found the end");
    check("name LIKE 'a", "expected a string with an end");
    check("id = 1 id = 2", "expected AND, OR or the end, found id at character 8");
    check("{tables} = 1", "expected {table} or {staging_table}, found {tables");
    check("id::REGCLASS = 1", "expected one of the types");
    check("LEFT(name) = 'a'", "expected LEFT with 2 to 2 arguments, and not with 1");
    check("DATEADD(id, 1, upd) > upd", "expected one of YEAR");
    check(&format!("{}id = 1{}", "(".repeat(100), ")".repeat(100)), "at most 64 levels");
    check(&format!("id = 1{}", " + 1".repeat(200)), "at most 200 operators");
    check(&format!("id{}", "::INT".repeat(201)), "at most 200 operators");
    check(&"id = 1 OR ".repeat(2000), "at most 10000 bytes");
    check("", "expected a column or a value, found the end");
}
