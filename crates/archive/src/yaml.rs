//! Values as YAML that readers of version 1.1 and 1.2 understand alike: whatever either could take for something else than text is quoted.

use serde_json::Value;

/// Words that some reader takes for a truth value, for nothing, or for a number.
const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"];

/// The value as a document.
pub(crate) fn text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => object(&mut out, members, 0, true),
        Value::Array(items) if !items.is_empty() => array(&mut out, items, 0),
        flat => {
            out.push_str(&scalar(flat));
            out.push('\n');
        }
    }
    out
}

/// Members, each on its line; the first goes on where a list's dash stands.
fn object(out: &mut String, members: &serde_json::Map<String, Value>, depth: usize, mut begun: bool) {
    for (name, value) in members {
        if !std::mem::take(&mut begun) || depth == 0 {
            out.push_str(&"  ".repeat(depth));
        }
        out.push_str(&words(name));
        out.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                object(out, inner, depth + 1, false);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                array(out, items, depth);
            }
            flat => {
                out.push(' ');
                out.push_str(&scalar(flat));
                out.push('\n');
            }
        }
    }
}

fn array(out: &mut String, items: &[Value], depth: usize) {
    for item in items {
        out.push_str(&"  ".repeat(depth));
        out.push_str("- ");
        match item {
            Value::Object(members) if !members.is_empty() => object(out, members, depth + 1, true),
            // A list in a list is rare and stays on one line, in the form both languages share.
            flat => {
                out.push_str(&scalar(flat));
                out.push('\n');
            }
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => words(text),
        other => json(other),
    }
}

/// Text as it is where nobody can mistake it, else quoted as in JSON.
fn words(text: &str) -> String {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/'));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | '(' | ')' | '@');
    let safe = starts && text.chars().all(plain) && !text.ends_with(' ') && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if safe { text.to_owned() } else { json(&Value::from(text)) }
}

/// JSON, which is YAML but for letters that YAML takes for breaks of lines or does not allow; they stand within quotes alone.
fn json(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_reads_as_it_was_written() {
        let value = json!({
            "a": "yes", "off": "off", "b": "1.0", "c": 1.5, "d": null, "e": [], "f": {},
            "g": [1, [2, [3]], {"x": {"y": [true, {}]}, "z": ""}],
            "h": "two\nlines: # and more", "i": " lead", "j": "trail ", "k": "2014-01-01", "l": "0x1F", "m": "1:30", "n": "~",
            "o": "Größe 😀",
            "p": "'quoted\"", "q": "\u{7}\u{85}\u{2028}", "r s": {"t": [{"u": "v", "w": ["x"]}]}, "": "empty", "s": "- a", "t": "a: b",
            "u": "a #b",
        });
        let read: Value = serde_norway::from_str(&text(&value)).unwrap();
        assert_eq!(read, value, "{}", text(&value));
        for flat in [json!("x"), json!([]), json!([1, {"a": 2}]), json!(null)] {
            assert_eq!(serde_norway::from_str::<Value>(&text(&flat)).unwrap(), flat);
        }
    }

    #[test]
    fn words_that_old_readers_take_for_truth_values_are_quoted() {
        let value = json!({"a": "yes", "b": "1.0", "c": "off", "d": ["Default", {"e": "/*", "f": 1}]});
        assert_eq!(text(&value), "a: \"yes\"\nb: \"1.0\"\nc: \"off\"\nd:\n- Default\n- e: \"/*\"\n  f: 1\n");
    }
}
