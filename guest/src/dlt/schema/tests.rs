//! Comparison with schemas that dlt stored: `tests/data/conformance/schemas`, made by `record.py`
//! there.

use super::*;
use crate::dlt::types::{DataType, Kind};
use crate::fault::FaultKind;

fn recorded(name: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/conformance/schemas");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The recorded schemas as text, with their hashes.
fn stored(name: &str) -> Vec<(String, String)> {
    let hash = |row: &Value| row["version_hash"].as_str().unwrap().to_owned();
    recorded(name).iter().map(|row| (hash(row), row["schema"].to_string())).collect()
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn snake_case(name: &str) -> String {
    let break_up =
        |c: char| if c.is_uppercase() { format!("_{}", c.to_lowercase()) } else { c.into() };
    let name: String = name.chars().map(break_up).collect();
    name.replace(" _", "_").replace(' ', "_").trim_start_matches('_').to_owned()
}

#[test]
fn reads_and_writes_what_dlt_stored() {
    for name in ["plain", "naming", "hints", "cursors"] {
        for (version_hash, text) in stored(name) {
            let mut schema = Schema::parse(&text).unwrap();
            assert!(!schema.bump().unwrap(), "{name}: {version_hash} {}", schema.version_hash());
            assert_eq!(schema.version_hash(), version_hash);
            assert_eq!(value(&schema.to_json()), value(&text), "{name}");
            assert_eq!(schema.to_text(usize::MAX), schema.to_json());
            let packed = schema.to_text(100);
            assert!(packed.len() < text.len() && !packed.starts_with('{'));
            assert_eq!(Schema::parse(&packed).unwrap(), schema);
        }
    }
}

#[test]
fn migrates_as_dlt() {
    for row in recorded("old") {
        let mut schema = Schema::parse(&row["stored"].to_string()).unwrap();
        assert_eq!(schema.bump().unwrap(), row["stored"]["version_hash"] == "");
        assert_eq!(
            value(&schema.to_json()),
            row["migrated"],
            "{}",
            row["stored"]["engine_version"]
        );
        assert_eq!(schema.normalizers["use_break_path_on_normalize"], false);
        assert_eq!(schema.config("max_nesting"), Some(&json!(5)));
    }
}

/// The same schemas, built from the jobs' hints and the data, have dlt's hashes.
#[test]
fn builds_the_schemas_that_dlt_builds() {
    let kind = Kind::of;
    let mut schema = Schema::new("plain", "snake_case");
    let hints = Hints::default();
    let parent_id = || Column::inferred("_dlt_parent_id", kind(DataType::Text));
    let list_idx = || Column::inferred("_dlt_list_idx", kind(DataType::Bigint));
    let lines = || [parent_id(), list_idx(), Column::row_id()].into_iter();
    let mut hashes = Vec::new();

    schema.declare(hints.root("orders", "orders", snake_case).unwrap()).unwrap();
    for column in [
        Column::inferred("id", kind(DataType::Bigint)),
        Column::inferred("x", kind(DataType::Double)),
        Column::inferred("_dlt_load_id", kind(DataType::Text)),
        Column::row_id(),
    ] {
        schema.add_column("orders", column).unwrap();
    }
    let a = Column::inferred("a", kind(DataType::Bigint));
    let table =
        Table::child("orders__lines", "orders").with_columns([a].into_iter().chain(lines()));
    schema.add(table).unwrap();
    schema.propagate("orders");
    schema.mark_seen("orders").unwrap();
    schema.mark_seen("orders__lines").unwrap();
    assert!(schema.bump().unwrap());
    assert!(!schema.bump().unwrap());
    assert_eq!((schema.version(), schema.previous_hashes.len()), (1, 0));
    hashes.push(schema.version_hash().to_owned());

    schema.declare(hints.root("orders", "orders", snake_case).unwrap()).unwrap();
    let text = kind(DataType::Text);
    schema.add_column("orders", Column::inferred("y", text)).unwrap();
    schema.add_column("orders__lines", Column::variant("a__v_text", text)).unwrap();
    assert!(schema.bump().unwrap());
    hashes.push(schema.version_hash().to_owned());

    let merge = Hints {
        write_disposition: Some("merge".into()),
        primary_key: Some(vec!["id".into()]),
        ..Hints::default()
    };
    schema.declare(merge.root("orders", "orders", snake_case).unwrap()).unwrap();
    assert!(schema.bump().unwrap());
    assert_eq!(
        (schema.version(), schema.previous_hashes.as_slice()),
        (3, &[hashes[1].clone(), hashes[0].clone()][..])
    );
    hashes.push(schema.version_hash().to_owned());

    let expect: Vec<_> = stored("plain").into_iter().map(|(hash, _)| hash).collect();
    assert_eq!(hashes, expect);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn applies_hints_as_dlt() {
    let hints = |text: &str| match value(text) {
        Value::Object(map) => {
            map.into_iter().map(|(k, v)| (k, v.as_object().unwrap().clone())).collect()
        }
        _ => IndexMap::new(),
    };
    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let mut schema = Schema::new("hinted", "snake_case");
    schema.set_config(&["max_nesting"], 2.into());
    schema.set_root_key(true);
    let mut table = Map::new();
    table.insert(
        "references".into(),
        json!([{"referenced_table": "Shops", "columns": ["shopId"], "referenced_columns": ["Id"]}]),
    );
    let orders = Hints {
        columns: hints(
            r#"{"Amount": {"data_type": "decimal", "precision": 10, "scale": 2, "description": "how \"much\" é"},
                "day": {"data_type": "date", "cluster": true, "nullable": true}, "seq": {"dedup_sort": "desc"},
                "wall": {"data_type": "timestamp", "timezone": false, "precision": 3}, "gone": {"hard_delete": true},
                "x": {"x-custom": {"b": 1e20, "a": [1e-7, null]}, "sort": true, "partition": true}}"#,
        ),
        primary_key: names(&["Id", "shopId"]),
        merge_key: names(&["day"]),
        write_disposition: Some(json!({"disposition": "merge", "strategy": "upsert",
            "skip_unchanged_rows": true, "row_version_column_name": "ver"})),
        cursor: Some("updatedAt".into()),
        max_nesting: Some(3),
        table,
    };
    let history = Hints {
        write_disposition: Some(json!({"disposition": "merge", "strategy": "scd2",
            "validity_column_names": ["from", "to"], "active_record_timestamp": "9999-12-31",
            "row_version_column_name": "hashId"})),
        ..Hints::default()
    };
    let mut table = Map::new();
    table.insert("schema_contract".into(), json!({"columns": "discard_value"}));
    let strict = Hints {
        columns: hints(
            r#"{"a b": {"data_type": "text"}, "a_b": {"nullable": false, "unique": true}}"#,
        ),
        table,
        ..Hints::default()
    };
    let items = Hints {
        primary_key: names(&["sku"]),
        write_disposition: Some("merge".into()),
        ..Hints::default()
    };
    let columns = |text| Hints { columns: hints(text), ..Hints::default() };
    let lines = columns(r#"{"no": {"data_type": "text"}}"#);
    let parts = columns(r#"{"qty": {"data_type": "bigint"}}"#);
    let (big, n) = ("Big Orders", snake_case);
    for _ in 0..2 {
        for table in [
            orders.root("big_orders", big, n).unwrap(),
            items.nested("big_orders__items", "big_orders", big, n).unwrap(),
            lines.nested("big_orders__lines", "big_orders", big, n).unwrap(),
            parts.nested("big_orders__lines__parts", "big_orders__lines", big, n).unwrap(),
            history.root("history", "history", n).unwrap(),
            strict.root("strict", "strict", n).unwrap(),
        ] {
            schema.declare(table).unwrap();
        }
        // The columns of the rows are taken from the recording, as they would be inferred.
        let (_, text) = &stored("hints")[usize::from(schema.version() > 0)];
        for (name, table) in
            value(text)["tables"].as_object().unwrap().iter().filter(|(n, _)| !is_dlt(n))
        {
            if schema.table(name).is_none() {
                schema.add(Table::child(name, table["parent"].as_str().unwrap())).unwrap();
            }
            for (column, hints) in table["columns"].as_object().unwrap() {
                let new =
                    schema.table(name).unwrap().column(column).is_none_or(|c| !c.is_complete());
                if let (true, Some(data_type)) = (new, hints["data_type"].as_str()) {
                    let kind = Kind::of(DataType::parse(data_type).unwrap());
                    schema.add_column(name, Column::inferred(column, kind)).unwrap();
                }
            }
            schema.mark_seen(name).unwrap();
        }
        let roots = schema.tables().values().filter(|table| table.parent().is_none());
        let roots: Vec<String> = roots.map(|table| table.name().to_owned()).collect();
        roots.iter().for_each(|root| schema.propagate(root));
        let expect = Schema::parse(text).unwrap();
        schema.settings = expect.settings.clone();
        assert!(schema.bump().unwrap());
        assert_eq!(value(&schema.to_json())["tables"], value(text)["tables"]);
        assert_eq!(schema.normalizers, expect.normalizers);
        assert_eq!(schema.version_hash(), expect.version_hash());
    }
    assert_eq!(Contract::of(&schema, "strict__o__p").unwrap().columns, ContractMode::DiscardValue);
    assert_eq!(Contract::of(&schema, "big_orders__lines").unwrap(), Contract::EVOLVE);
    assert_eq!(schema.merge_strategy("big_orders__lines__parts"), Some("upsert"));
    assert_eq!(schema.merge_strategy("strict"), None);
    let chain = |root| schema.chain(root).into_iter().map(Table::name).collect::<Vec<_>>();
    let lines = ["big_orders__lines", "big_orders__lines__parts", "big_orders__lines__parts__deep"];
    assert_eq!(chain("big_orders__lines"), lines);
    assert_eq!(schema.root("big_orders__lines__parts").unwrap().name(), "big_orders");
    assert_eq!(schema.root_keys("strict"), ["_dlt_id"]);
    assert_eq!(schema.drop("big_orders").len(), 4);
    assert_eq!(schema.root_keys("big_orders"), Vec::<&str>::new());
    assert!(schema.table("big_orders__items").is_some());
}

#[test]
fn keeps_ten_previous_hashes() {
    let mut schema = Schema::new("s", "snake_case");
    for n in 0..15 {
        schema.declare(Table::root(format!("t{n}"), "r")).unwrap();
        assert!(schema.bump().unwrap());
    }
    assert_eq!((schema.version(), schema.previous_hashes.len()), (15, 10));
    let last = schema.version_hash().to_owned();
    schema.drop("t14");
    schema.bump().unwrap();
    assert_eq!((schema.version(), schema.previous_hashes.len()), (16, 10));
    assert_eq!(schema.previous_hashes[0], last);
}

#[test]
fn new_tables_under_a_contract_evolve_once() {
    let mut schema = Schema::new("s", "snake_case");
    let contract = serde_json::json!({ "columns": "freeze", "data_type": "freeze" });
    let table = || Table::root("t", "r").with("schema_contract", contract.clone());
    schema.declare(table()).unwrap();
    assert!(schema.table("t").unwrap().evolves_once());
    schema.add_column("t", Column::row_id()).unwrap();
    schema.mark_seen("t").unwrap();
    schema.declare(table()).unwrap();
    let table = schema.table("t").unwrap();
    assert!(!table.evolves_once() && table.has_seen_data());
}

#[test]
fn declared_columns_that_the_contract_freezes_are_faults() {
    let check = |contract: Value, expect: Result<bool, &str>| {
        let mut schema = Schema::new("s", "snake_case");
        let table = || Table::root("t", "r").with("schema_contract", contract.clone());
        schema.declare(table()).unwrap();
        schema.add_column("t", Column::row_id()).unwrap();
        schema.mark_seen("t").unwrap();
        schema.declare(table()).unwrap();
        let described = Map::from_iter([("description".to_owned(), "no type".into())]);
        let hinted = Column::from_hints("more", described).unwrap();
        let mut again = table();
        again.columns_mut().insert("more".to_owned(), hinted);
        let declared = schema.declare(again).map_err(|fault| fault.to_string());
        assert_eq!(declared, expect.map_err(str::to_owned), "{contract}");
        assert!(schema.table("t").unwrap().column("more").is_none() || expect == Ok(true));
    };
    check(
        serde_json::json!({ "columns": "freeze" }),
        Err(
            "table t: column more: expected no new columns, for the schema contract freezes them, found another",
        ),
    );
    check(serde_json::json!({ "columns": "discard_row" }), Ok(true));
    check(serde_json::json!({ "columns": "evolve" }), Ok(true));
}

#[test]
fn invalid_schemas_are_reported() {
    let (_, text) = &stored("plain")[0];
    let check = |change: fn(&mut Value), expect: &str| {
        let mut stored = value(text);
        change(&mut stored);
        let fault = Schema::parse(&stored.to_string()).unwrap_err();
        assert_eq!((fault.kind, fault.to_string()), (FaultKind::Destination, expect.to_owned()));
    };
    check(
        |s| s["engine_version"] = 12.into(),
        "stored schema: expected an engine_version from 7 to 11, found 12: the dataset was written by \
         a dlt that is older or newer than 0.3 to 1.31",
    );
    check(
        |s| s["tables"]["orders"]["columns"]["id"]["data_type"] = "int".into(),
        "stored schema: table orders: column id: expected a data type of dlt as data_type, found \"int\"",
    );
    check(
        |s| s["tables"]["orders__lines"]["parent"] = "gone".into(),
        "stored schema: table orders__lines: expected the table's parents in the schema",
    );
    check(
        |s| s["tables"]["orders"]["parent"] = "orders__lines".into(),
        "stored schema: table orders: expected the table's parents in the schema",
    );
    check(|s| s["name"] = 1.into(), "stored schema: expected a string as name, found 1");
    check(|s| s["tables"] = Value::Null, "stored schema: expected an object as tables, found null");

    let mut schema = Schema::parse(text).unwrap();
    let check = |schema: &mut Schema, table: Table, expect: &str| {
        let before = schema.clone();
        assert_eq!(schema.declare(table).unwrap_err().to_string(), expect);
        assert_eq!(*schema, before);
    };
    check(
        &mut schema,
        Table::child("t", "gone"),
        "table t: the table is nested in gone, which is not declared",
    );
    check(
        &mut schema,
        Table::root("orders__lines", "r"),
        "table orders__lines: the table is nested in orders in the stored schema, but in no table now",
    );
    check(
        &mut schema,
        Table::root("orders", "r").with_columns([Column::inferred("id", Kind::of(DataType::Text))]),
        "table orders: column id: the column has the type bigint in the stored schema, but text is \
         asked for now: the type of a column cannot be changed (\"refresh\": \"drop_resources\" loads the \
         resource into new tables)",
    );
    let hints =
        |disposition: Value| Hints { write_disposition: Some(disposition), ..Hints::default() };
    let check = |disposition: Value, expect: &str| {
        let fault = hints(disposition).root("t", "r", str::to_owned).unwrap_err();
        assert_eq!(fault.to_string(), format!("table t: write_disposition: expected {expect}"));
    };
    check(json!("upsert"), "append, replace, merge or skip, found \"upsert\"");
    check(json!(["merge"]), "a string or an object, found [\"merge\"]");
    check(
        json!({"disposition": "merge", "strategy": "scd2", "validity_column_names": ["a"]}),
        "two names as validity_column_names, found [\"a\"]",
    );
}

#[test]
fn naming_convention_is_read_from_the_schema() {
    let check = |names: &str, expect: Result<&str, &str>| {
        let schema = Schema::new("s", names);
        let found = schema.naming().map_err(|fault| fault.to_string());
        assert_eq!(found, expect.map_err(str::to_owned));
    };
    check("snake_case", Ok("snake_case"));
    check("dlt.common.normalizers.naming.sql_cs_v1", Ok("sql_cs_v1"));
    check("dlt.common.normalizers.naming.direct.NamingConvention", Ok("direct"));
    check("dlt.common.normalizers.names.snake_case", Ok("snake_case"));
    check(
        "my.naming",
        Err("expected one of dlt's naming conventions in the stored schema, found my.naming"),
    );
}
