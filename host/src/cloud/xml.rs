//! The XML of the clouds' responses: elements with text.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// An element that contains text.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Element {
    /// The names of the elements around it and its own, separated by `/`, without the outermost.
    pub(crate) path: String,
    pub(crate) text: String,
    /// `true` if it has the attribute `Encoded="true"`: Azure's mark of percent-encoded text.
    pub(crate) encoded: bool,
}

/// The texts of elements in document order. An empty last element of a repeated group is returned too.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn leaves(text: &str) -> Result<Vec<Element>, String> {
    // Azure begins with a byte order mark.
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut found = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut leaf: Option<Element> = None;
    let unfit = |e: &dyn std::fmt::Display| format!("expected XML, found none: {e}");
    let path = |open: &[String]| open.get(1..).unwrap_or_default().join("/");
    loop {
        match reader.read_event().map_err(|e| unfit(&e))? {
            Event::Start(start) => {
                open.push(start.local_name().as_ref().to_owned());
                let encoded = start.try_get_attribute("Encoded").ok().flatten();
                let encoded = encoded.is_some_and(|it| &*it.value == "true");
                leaf = Some(Element { path: path(&open), text: String::new(), encoded });
            }
            Event::Empty(empty) => {
                open.push(empty.local_name().as_ref().to_owned());
                found.push(Element { path: path(&open), text: String::new(), encoded: false });
                open.pop();
            }
            Event::End(_) => {
                let ended = path(&open);
                open.pop();
                // The end of an element with children is returned too, without text.
                found.push(leaf.take().unwrap_or(Element {
                    path: ended,
                    text: String::new(),
                    encoded: false,
                }));
            }
            Event::Text(text) => {
                if let Some(leaf) = &mut leaf {
                    leaf.text.push_str(&text.xml_content(XmlVersion::Implicit1_0));
                }
            }
            Event::CData(text) => {
                if let Some(leaf) = &mut leaf {
                    leaf.text.push_str(&text);
                }
            }
            Event::GeneralRef(entity) => {
                let c = entity.resolve_char_ref().map_err(|e| unfit(&e))?;
                if let Some(leaf) = &mut leaf {
                    match (c, resolve_predefined_entity(&entity)) {
                        (Some(c), _) => leaf.text.push(c),
                        (None, Some(text)) => leaf.text.push_str(text),
                        (None, None) => return Err(unfit(&"an entity nobody knows")),
                    }
                }
            }
            Event::Eof if open.is_empty() && !found.is_empty() => return Ok(found),
            Event::Eof => return Err(unfit(&"it breaks off")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read() {
        let text = "\u{feff}<?xml version=\"1.0\"?>\n<R xmlns='u'>\n <K>a &amp; b&#x9;&lt;é</K>\n <C><N Encoded=\"true\">x%20y</N><E/></C></R>";
        let found: Vec<(String, String, bool)> = leaves(text)
            .unwrap()
            .into_iter()
            .map(|leaf| (leaf.path, leaf.text, leaf.encoded))
            .collect();
        let leaf = |path: &str, text: &str, encoded| (path.to_owned(), text.to_owned(), encoded);
        assert_eq!(
            found,
            [
                leaf("K", "a & b\t<é", false),
                leaf("C/N", "x%20y", true),
                leaf("C/E", "", false),
                leaf("C", "", false),
                leaf("", "", false)
            ]
        );
        for bad in ["", "<R><K>a</K>", "<R><K>a</R>", "<R>&none;</R>", "no"] {
            assert!(leaves(bad).is_err(), "{bad}");
        }
    }
}
