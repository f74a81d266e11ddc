//! Tokenizers and chat templates against Hugging Face transformers: see `../fixtures/README.md`.

use mta_llm::architecture::Architecture;
use mta_llm::chat::{Message, Template};
use mta_llm::error::Error;
use mta_llm::tokenizer::Tokenizer;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn expected() -> Value {
    serde_json::from_str(&fs::read_to_string(fixtures().join("tokenizer/expected.json")).unwrap()).unwrap()
}

fn tokenizer() -> Tokenizer {
    Tokenizer::read(&fixtures().join("tokenizer")).unwrap()
}

fn template(name: &str) -> Template {
    let path = fixtures().join("templates").join(format!("{name}.jinja"));
    let names = json!({"bos_token": "<|begin_of_text|>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"});
    Template::new(&fs::read_to_string(&path).unwrap(), &path, names.as_object().unwrap().clone()).unwrap()
}

fn message(role: &str, content: &str) -> Message {
    Message { role: role.into(), content: content.into() }
}

#[test]
fn texts_become_the_tokens_of_transformers_and_return() {
    let tokenizer = tokenizer();
    for case in expected()["encodings"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let tokens = tokenizer.encode(text, true).unwrap();
        assert_eq!(json!(tokens), case["ids"], "{text:?}");
        assert_eq!(tokenizer.decode(&tokens, false).unwrap(), case["decoded"].as_str().unwrap());
        assert_eq!(tokenizer.decode(&tokens, true).unwrap(), case["plain"].as_str().unwrap());
    }
}

#[test]
fn chats_become_the_prompts_of_transformers() {
    let chats = expected()["chats"].as_array().unwrap().clone();
    assert!(chats.len() >= 10);
    for case in chats {
        let name = case["template"].as_str().unwrap();
        let prompt = case["add_generation_prompt"].as_bool().unwrap();
        let text = template(name).render_any(case["messages"].clone(), prompt, case["more"].as_object().unwrap()).unwrap();
        assert_eq!(text, case["text"].as_str().unwrap(), "{name}: {}", case["messages"]);
    }
}

#[test]
fn a_folder_brings_its_template_and_its_special_tokens() {
    let tokenizer = tokenizer();
    let chat = [message("system", "Be brief."), message("user", "2 + 2?")];
    let text = tokenizer.template().unwrap().render(&chat, true, &Map::new()).unwrap();
    assert_eq!(text, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n");
    assert_eq!(tokenizer.eos(), [tokenizer.token("<|im_end|>").unwrap()]);
    assert_eq!(tokenizer.pad(), tokenizer.token("<|endoftext|>"));
}

#[test]
fn what_a_template_refuses_is_said_in_its_words() {
    let error = template("llama3").render(&[message("assistant", "4")], false, &Map::new()).unwrap_err().to_string();
    assert!(error.contains("llama3.jinja: the chat template fails: Roles must alternate user/assistant/user/assistant/..."), "{error}");
    let error = Template::new("{% for %}", Path::new("t.jinja"), Map::new()).unwrap_err().to_string();
    assert!(error.starts_with("t.jinja: not a chat template: "), "{error}");
}

#[test]
fn json_is_written_as_python_writes_it() {
    let template = Template::new("{{ messages | tojson(indent=2) }}{{ [] | tojson }}", Path::new("t.jinja"), Map::new()).unwrap();
    let text = template.render_any(json!([{"b": "<é\">", "a": [1, 2.5, null]}]), false, &Map::new()).unwrap();
    let lines = ["[", "  {", r#"    "b": "<é\">","#, r#"    "a": ["#, "      1,", "      2.5,", "      null", "    ]", "  }", "][]"];
    assert_eq!(text, lines.join("\n"));
}

/// A copy of the tokenizer's folder that a test may change.
fn copy() -> (TempDir, impl Fn(&str, Value)) {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixtures().join("tokenizer/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    let path = folder.path().to_path_buf();
    (folder, move |name: &str, value: Value| fs::write(path.join(name), value.to_string()).unwrap())
}

#[test]
fn templates_inside_tokenizer_config_are_found() {
    let (folder, set) = copy();
    let read = || Tokenizer::read(folder.path()).unwrap();
    assert!(read().template().is_none() && read().eos().is_empty() && read().pad().is_none());
    let bos = json!({"content": "<|begin_of_text|>", "special": true});
    for source in
        [json!("{{ bos_token }}!"), json!([{"name": "rag", "template": "no"}, {"name": "default", "template": "{{ bos_token }}!"}])]
    {
        set("tokenizer_config.json", json!({"bos_token": bos, "eos_token": "<|eot_id|>", "chat_template": source}));
        assert_eq!(read().template().unwrap().render(&[], false, &Map::new()).unwrap(), "<|begin_of_text|>!");
    }
    assert_eq!((read().eos(), read().pad()), (&[6][..], Some(6)));
    set("config.json", json!({}));
    set("generation_config.json", json!({"eos_token_id": [0, 2], "pad_token_id": 1}));
    assert_eq!((read().eos(), read().pad()), (&[0, 2][..], Some(1)));
}

fn with_rows(vocab_size: usize) -> Architecture {
    let config = fs::read_to_string(fixtures().join("qwen2-tied/config.json")).unwrap();
    let architecture = Architecture::parse(&config, Path::new("config.json")).unwrap();
    Architecture { vocab_size, ..architecture }
}

#[test]
fn a_tokenizer_that_does_not_fit_is_refused() {
    let (folder, set) = copy();
    let read = || Tokenizer::read(folder.path()).unwrap();
    let size = read().size();
    assert!(read().fits(&with_rows(size)).is_ok() && read().fits(&with_rows(size + 100)).is_ok());
    let error = read().fits(&with_rows(size - 1)).unwrap_err().to_string();
    let tail = format!("tokenizer.json: its largest token is {}; the model's embedding allows 0 to {}", size - 1, size - 2);
    assert!(error.ends_with(&tail), "{error}");
    set("config.json", json!({"eos_token_id": 5000}));
    assert!(read().fits(&with_rows(size)).unwrap_err().to_string().contains("its largest token is 5000"));
}

#[test]
fn damaged_tokenizers_are_named() {
    let (folder, set) = copy();
    let error = || Tokenizer::read(folder.path()).err().map(|e: Error| e.to_string()).expect("it is damaged");
    set("tokenizer_config.json", json!({"eos_token": "<|none|>"}));
    assert!(error().ends_with("tokenizer_config.json: eos_token is \"<|none|>\"; allowed: a token of tokenizer.json"), "{}", error());
    set("tokenizer.json", json!({"model": 1}));
    assert!(error().contains("tokenizer.json: not a tokenizer: "), "{}", error());
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    assert!(error().contains("tokenizer.json: cannot be read: "), "{}", error());
}
