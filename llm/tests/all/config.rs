//! `config.json`: what is read, what is assumed, what is refused.

use candle_core::DType;
use mta_llm::architecture::{Architecture, Family, RopeScaling};
use serde_json::{Value, json};
use std::path::Path;

fn parse(config: &Value) -> Result<Architecture, String> {
    Architecture::parse(&config.to_string(), Path::new("m/config.json")).map_err(|e| e.to_string())
}

/// Only what has no default.
fn smallest(model_type: &str) -> Value {
    let sizes = json!({"vocab_size": 40, "hidden_size": 64, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 32});
    changed(&sizes, json!({"model_type": model_type}))
}

fn changed(config: &Value, fields: Value) -> Value {
    let (mut config, Value::Object(fields)) = (config.clone(), fields) else { panic!("fields are an object") };
    for (name, value) in fields {
        config[name] = value;
    }
    config
}

fn without(config: &Value, name: &str) -> Value {
    let mut config = config.clone();
    config.as_object_mut().expect("a config is an object").remove(name);
    config
}

#[test]
fn absent_keys_take_the_defaults_of_transformers() {
    let of = |family| parse(&smallest(family)).unwrap();
    let (qwen2, qwen3, llama) = (of("qwen2"), of("qwen3"), of("llama"));
    assert_eq!([qwen2.head_dim, qwen3.head_dim, llama.head_dim], [2, 128, 2]);
    assert_eq!([qwen2.num_key_value_heads, qwen3.num_key_value_heads, llama.num_key_value_heads], [32, 32, 32]);
    assert_eq!([qwen2.attention_bias, qwen3.attention_bias, llama.attention_bias], [true, false, false]);
    assert_eq!([qwen2.qk_norm, qwen3.qk_norm, llama.qk_norm], [false, true, false]);
    assert_eq!([qwen2.max_position_embeddings, qwen3.max_position_embeddings, llama.max_position_embeddings], [32_768, 32_768, 2048]);
    for a in [qwen2, qwen3, llama] {
        assert_eq!((a.rms_norm_eps, a.rope_theta, a.rope_scaling, a.tie_word_embeddings), (1e-6, 1e4, None, false));
    }
}

#[test]
fn key_heads_that_are_absent_or_null_differ() {
    let four = changed(&smallest("qwen2"), json!({"num_attention_heads": 4, "num_key_value_heads": null}));
    assert_eq!(parse(&four).unwrap().num_key_value_heads, 4);
    assert!(parse(&without(&four, "num_key_value_heads")).unwrap_err().contains("num_key_value_heads is 32; allowed: a divisor"));
    let llama = changed(&smallest("llama"), json!({"num_attention_heads": 4}));
    assert_eq!(parse(&llama).unwrap().num_key_value_heads, 4);
}

#[test]
fn rotary_settings_are_read_under_both_names() {
    let scaling = json!({"factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    let expected = RopeScaling { factor: 32.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position_embeddings: 8192 };
    let newer = changed(&scaling, json!({"rope_type": "llama3", "rope_theta": 5e5}));
    let older = changed(&scaling, json!({"type": "llama3"}));
    let both = [json!({"rope_theta": 5e5, "rope_scaling": older}), json!({"rope_parameters": newer})];
    for fields in both {
        let a = parse(&changed(&smallest("llama"), fields)).unwrap();
        assert_eq!((a.rope_theta, a.rope_scaling), (5e5, Some(expected)));
    }
    let plain = changed(&smallest("qwen3"), json!({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}, "rope_scaling": null}));
    assert_eq!(parse(&plain).unwrap().rope_theta, 1e6);
}

#[test]
fn windows_no_layer_reaches_are_allowed() {
    let window = json!({"use_sliding_window": true, "sliding_window": 4096, "max_window_layers": 2});
    assert!(parse(&changed(&smallest("qwen2"), window)).is_ok());
    assert!(parse(&changed(&smallest("qwen3"), json!({"layer_types": ["full_attention", "full_attention"]}))).is_ok());
}

#[test]
fn what_is_refused_is_named_with_its_value_and_what_is_allowed() {
    let cases = [
        (json!({"model_type": "mistral"}), "model_type is \"mistral\"; allowed: qwen2, qwen3, llama"),
        (json!({"model_type": 3}), "model_type is 3; allowed: a string"),
        (json!({"hidden_size": "64"}), "hidden_size is \"64\"; allowed: a whole number of at least 1"),
        (json!({"hidden_size": 0}), "hidden_size is 0; allowed: a whole number of at least 1"),
        (json!({"num_hidden_layers": 2.5}), "num_hidden_layers is 2.5; allowed: a whole number of at least 1"),
        (json!({"vocab_size": null}), "vocab_size is missing"),
        (json!({"tie_word_embeddings": "yes"}), "tie_word_embeddings is \"yes\"; allowed: true or false"),
        (json!({"rms_norm_eps": -1}), "rms_norm_eps is -1; allowed: a number of at least 0"),
        (json!({"rope_theta": 0}), "rope_theta is 0; allowed: a number above 0"),
        (json!({"hidden_act": "gelu"}), "hidden_act is \"gelu\"; allowed: \"silu\""),
        (json!({"mlp_bias": true}), "mlp_bias is true; allowed: false"),
        (json!({"num_attention_heads": 5, "num_key_value_heads": 5}), "num_attention_heads is 5; allowed: a divisor of hidden_size, 64"),
        (json!({"num_key_value_heads": 3}), "num_key_value_heads is 3; allowed: a divisor of num_attention_heads, 32"),
        (json!({"head_dim": 7}), "head_dim is 7; allowed: an even number"),
        (json!({"rope_scaling": {"rope_type": "yarn", "factor": 4}}), "rope_type is \"yarn\"; allowed: \"default\", \"llama3\""),
        (json!({"rope_scaling": {"type": "linear", "factor": 4}}), "type is \"linear\"; allowed: \"default\", \"llama3\""),
        (json!({"rope_scaling": {"rope_type": "llama3", "factor": 4}}), "low_freq_factor is missing"),
        (json!({"rope_parameters": {"full_attention": {"rope_type": "default"}}}), "type is null; allowed: \"default\", \"llama3\""),
        (json!({"rope_parameters": {"partial_rotary_factor": 0.25}}), "partial_rotary_factor is 0.25; allowed: 1"),
        (json!({"partial_rotary_factor": 0.5}), "partial_rotary_factor is 0.5; allowed: 1"),
        (
            json!({"use_sliding_window": true, "sliding_window": 64, "max_window_layers": 1}),
            "use_sliding_window is true; allowed: false, or max",
        ),
        (json!({"layer_types": ["full_attention", "sliding_attention"]}), "\"sliding_attention\"]; allowed: \"full_attention\" everywhere"),
        (json!({"quantization_config": {"bits": 4}}), "quantization_config is {\"bits\":4}; allowed: none"),
    ];
    for (fields, text) in cases {
        let error = parse(&changed(&smallest("llama"), fields.clone())).expect_err(&format!("{fields} is refused"));
        assert!(error.starts_with("m/config.json: ") && error.contains(text), "{fields}: {error}");
    }
    let error = |text| Architecture::parse(text, Path::new("m/config.json")).unwrap_err().to_string();
    assert!(error("{").starts_with("m/config.json: not JSON: "));
    assert_eq!(error("[]"), "m/config.json: not a JSON object");
}

#[test]
fn what_is_written_is_read_back() {
    let scaling = RopeScaling { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_position_embeddings: 32 };
    for (family, attention_bias, rope_scaling) in
        [(Family::Qwen2, true, None), (Family::Qwen3, false, None), (Family::Llama, true, Some(scaling))]
    {
        let a = Architecture {
            family,
            vocab_size: 40,
            hidden_size: 16,
            intermediate_size: 24,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 6,
            rms_norm_eps: 1e-5,
            rope_theta: 5e5,
            rope_scaling,
            attention_bias,
            qk_norm: family == Family::Qwen3,
            tie_word_embeddings: true,
            max_position_embeddings: 128,
        };
        assert_eq!(parse(&a.config(DType::BF16)).unwrap(), a);
    }
}
