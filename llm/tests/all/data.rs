//! Question files of every shape, and what is said of wrong ones.

use mta_llm::data::{BOXED, Question, Template, load};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn jsonl(folder: &Path, name: &str, lines: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, lines).unwrap();
    path
}

fn row(id: &str, question: &str, answer: &str, source: &str) -> Question {
    Question { id: id.into(), question: question.into(), answer: answer.into(), source: source.into() }
}

#[test]
fn every_shape_of_jsonl_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let lines = r##"{"question":"1+1?","answer":"1+1=<<1+1=2>>2\n#### 2","idx":7}
{"problem":"half?","solution":"so \\boxed{\\frac{1}{2}}.","answer":"\\frac12","unique_id":"test/1.json"}

{"id":60,"problem":"P","answer":27.0,"question":"P"}
{"problem":"M","solution":"\\boxed{4.5e33} ergs","idx":1}
{"question":"Q","answer":"A","metadata":{"source_dataset":"chain_sum","source_index":3}}
{"question":"Q","answer":0.25}
{"data_source":"gsm8k","prompt":[{"role":"user","content":"S"},{"role":"assistant","content":"A"},{"role":"user","content":"U"}],"reward_model":{"style":"rule","ground_truth":"72"},"extra_info":{"index":5}}
"##;
    let questions = load(&jsonl(folder.path(), "mixed.jsonl", lines)).unwrap();
    let expected = [
        row("7", "1+1?", "2", "mixed"),
        row("test/1.json", "half?", "\\frac12", "mixed"),
        row("60", "P", "27", "mixed"),
        row("1", "M", "4.5e33", "mixed"),
        row("3", "Q", "A", "chain_sum"),
        row("5", "Q", "0.25", "mixed"),
        row("5", "U", "72", "gsm8k"),
    ];
    assert_eq!(questions, expected);
}

/// A file as verl writes it: nested chat, reward model and extra information.
fn verl(path: &Path) {
    let schema = "message schema {
        optional binary data_source (UTF8);
        optional group prompt (LIST) { repeated group list { optional group element { optional binary content (UTF8); optional binary role (UTF8); } } }
        optional binary ability (UTF8);
        optional group reward_model { optional binary ground_truth (UTF8); optional binary style (UTF8); }
        optional group extra_info { optional int64 index; optional binary split (UTF8); }
    }";
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(parse_message_type(schema).unwrap()), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let chat = (vec![4i16, 4, 4], vec![0i16, 1, 0]);
    let columns: [(&[&str], i16, bool); 8] = [
        (&["openai/gsm8k", "openai/gsm8k"], 1, false),
        (&["Be brief.", "1+1?", "2+2?"], 4, true),
        (&["system", "user", "user"], 4, true),
        (&["math", "math"], 1, false),
        (&["2", "4"], 2, false),
        (&["rule", "rule"], 2, false),
        (&[], 2, false),
        (&["train", "train"], 2, false),
    ];
    for (values, level, repeated) in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let bytes: Vec<ByteArray> = values.iter().map(|s| ByteArray::from(*s)).collect();
        if values.is_empty() {
            column.typed::<Int64Type>().write_batch(&[10, 11], Some(&[level; 2]), None).unwrap();
        } else if repeated {
            column.typed::<ByteArrayType>().write_batch(&bytes, Some(&chat.0), Some(&chat.1)).unwrap();
        } else {
            column.typed::<ByteArrayType>().write_batch(&bytes, Some(&[level; 2]), None).unwrap();
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn parquet_in_the_shape_of_verl_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.parquet");
    verl(&path);
    assert_eq!(load(&path).unwrap(), [row("10", "1+1?", "2", "openai/gsm8k"), row("11", "2+2?", "4", "openai/gsm8k")]);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("train.parquet") && error.contains("truncated"), "{error}");
}

#[test]
fn a_wrong_file_is_named_with_line_field_and_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let good = "{\"question\":\"Q\",\"answer\":\"A\"}\n";
    let cases = [
        ("a.jsonl", format!("{good}{{\"question\":\"Q\"}}"), "line 2: no field answer or solution; its fields are: question"),
        ("b.jsonl", format!("{good}\n{{\"question\":[1],\"answer\":\"A\"}}"), "line 3: field question is [1]; allowed: text or a number"),
        ("c.jsonl", "{\"question\":".into(), "line 1: is not JSON"),
        ("d.jsonl", "[1]".into(), "line 1: is [1]; allowed: an object"),
        ("e.jsonl", "{\"problem\":\"P\",\"solution\":\"so it is\"}".into(), "allowed: one with \\boxed{} or ####"),
        ("f.jsonl", "\n".into(), "holds no questions"),
        ("g.jsonl", "{\"question\":\"Q\",\"answer\":\" \"}".into(), "line 1: field answer or solution is empty"),
        ("h.csv", good.into(), "allowed extensions: jsonl, parquet"),
        ("i.jsonl", "{\"prompt\":[{\"role\":\"system\",\"content\":\"S\"}]}".into(), "line 1: field prompt has no message with role user"),
        ("j.jsonl", "{\"prompt\":[{\"role\":\"user\",\"content\":\"S\"}]}".into(), "no field reward_model.ground_truth"),
    ];
    for (name, content, expected) in cases {
        let error = load(&jsonl(folder.path(), name, &content)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(name), "{error} lacks {expected}");
    }
    assert!(load(&folder.path().join("none.jsonl")).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn templates_are_found_by_name() {
    assert!(Template::named("boxed").unwrap().fill("Q").starts_with("Q\nPlease"));
    assert!(BOXED.text.contains("\\boxed{}"));
    assert!(Template::named("box").unwrap_err().to_string().contains("known: plain, boxed"));
}
