//! One name, one type: the types that a text declares.

/// The names of the types that a text declares at the top of its module.
///
/// Indented declarations are not among them: an associated type has the name that its trait gives it, a type in a
/// function is used nowhere else, and a module in a file holds the same type for another target. The bindings
/// of the interface are generated, and have the names of `wit/loads.wit`.
pub(crate) fn declared(code: &str) -> Vec<&str> {
    code.lines().filter_map(name).collect()
}

/// The name of the type that a line declares.
fn name(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub") {
        Some(public) if public.starts_with('(') => public.split_once(')')?.1.trim_start(),
        Some(public) => public.strip_prefix(' ')?,
        None => line,
    };
    let words = ["struct ", "enum ", "trait ", "type ", "union "];
    let rest = words.iter().find_map(|word| line.strip_prefix(word))?;
    rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().filter(|name| !name.is_empty())
}

#[test]
fn declarations_are_found() {
    let code = "pub struct A;\npub(in crate::x) enum B<'a> {\n    C,\n}\ntype D = u8;\npub(crate) trait E: F {\n    \
                type G;\n}\nstruct H(u8);\nuse x::{self, Y as Z};\nlet type_of = 1;\npub fn structure() {}";
    assert_eq!(declared(code), ["A", "B", "D", "E", "H"]);
}
