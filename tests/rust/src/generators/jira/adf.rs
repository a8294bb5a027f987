//! Documents in Atlassian's format: a tree of nodes, each a `type` with `content`, `attrs`, `marks`.

use serde_json::{Map, Value, json};

use super::people::anybody;
use crate::generators::random::Random;
use crate::generators::text::{WORDS, prose, words};

/// A document of one paragraph.
pub fn plain(text: &str) -> Value {
    document(vec![node("paragraph", None, vec![json!({ "type": "text", "text": text })])])
}

/// A document of `low` to `high` blocks.
pub(super) fn any(r: &mut Random, low: usize, high: usize) -> Value {
    document((0..r.count(low, high)).map(|_| block(r)).collect())
}

fn document(content: Vec<Value>) -> Value {
    let mut document = Map::new();
    document.insert("type".to_owned(), "doc".into());
    document.insert("version".to_owned(), 1.into());
    document.insert("content".to_owned(), content.into());
    Value::Object(document)
}

fn block(r: &mut Random) -> Value {
    match r.below(100) {
        0..62 => paragraph(r),
        62..74 => {
            let title = words(r, 2, 5);
            node("heading", Some(json!({ "level": r.between(1, 4) })), vec![text(r, title)])
        }
        74..92 => {
            let items = (0..r.count(2, 5)).map(|_| {
                let paragraph = paragraph(r);
                node("listItem", None, vec![paragraph])
            });
            let items = items.collect();
            node(r.pick(&["bulletList", "orderedList"]), None, items)
        }
        92..97 => {
            let lines = (0..r.count(2, 8)).map(|_| words(r, 3, 8)).collect::<Vec<_>>();
            let language = json!({ "language": r.pick(&["java", "python", "sql"]) });
            let code = json!({ "type": "text", "text": lines.join("\n") });
            node("codeBlock", Some(language), vec![code])
        }
        _ => {
            let media = json!({
                "type": "media",
                "attrs": {
                    "type": "file",
                    "id": r.uuid(),
                    "alt": "image.png",
                    "collection": "",
                    "height": r.between(100, 900),
                    "width": r.between(100, 1900),
                },
            });
            node("mediaSingle", Some(json!({ "layout": "align-start" })), vec![media])
        }
    }
}

fn paragraph(r: &mut Random) -> Value {
    let mut content = Vec::new();
    for _ in 0..r.count(1, 3) {
        let prose = prose(r, 1, 2);
        content.push(text(r, prose));
    }
    match r.below(100) {
        0..15 => {
            let person = anybody(r);
            content.push(json!({
                "type": "mention",
                "attrs": {
                    "id": person["accountId"],
                    "text": format!("@{}", person["displayName"].as_str().unwrap_or_default()),
                    "accessLevel": "",
                },
            }));
        }
        15..25 => content.push(json!({ "type": "hardBreak" })),
        _ => {}
    }
    node("paragraph", None, content)
}

fn text(r: &mut Random, text: String) -> Value {
    let mut node = Map::new();
    node.insert("type".to_owned(), "text".into());
    node.insert("text".to_owned(), text.into());
    let marks = match r.below(100) {
        0..12 => json!([{ "type": r.pick(&["code", "em", "strong"]) }]),
        12..18 => {
            let page = format!("https://wiki.example.org/{}/{}", r.pick(WORDS), r.below(1000));
            json!([{ "type": "link", "attrs": { "href": page } }])
        }
        _ => return Value::Object(node),
    };
    node.insert("marks".to_owned(), marks);
    Value::Object(node)
}

fn node(kind: &str, attributes: Option<Value>, content: Vec<Value>) -> Value {
    let mut node = Map::new();
    node.insert("type".to_owned(), kind.into());
    if let Some(attributes) = attributes {
        node.insert("attrs".to_owned(), attributes);
    }
    node.insert("content".to_owned(), content.into());
    Value::Object(node)
}
