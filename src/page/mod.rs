//! Runs and verdicts as one HTML page that needs nothing else: no network, no file beside it.
//!
//! | file | job |
//! |---|---|
//! | [`data`] | what the page knows, as one JSON object |
//! | `numbers` | measures, curves and pass@k of a run, over seeds |
//! | `verdicts` | a verification's verdicts |
//! | [`serve`] | the same page from a local server, followed while a sweep runs |
//! | `page.html`, `page.css`, `page.js` | the page; charts are plotly.js, which the crate `plotly` brings |
//!
//! All numbers are computed here; the page only picks, draws and lays them out. It writes text as text, never as markup.

pub mod data;
mod numbers;
pub mod serve;
mod verdicts;

use data::Page;
use plotly::Plot;

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

/// The page as one HTML file.
pub fn html(page: &Page) -> String {
    let parts = [("css", CSS), ("js", JS), ("data", &json(page)), ("plotly", &plotly_js())];
    fill(HTML, &parts)
}

/// The data as JSON that may stand in a script element: no `<`, so that no text in it can end or open one.
pub fn json(page: &Page) -> String {
    serde_json::to_string(page).expect("the page is plain data").replace('<', "\\u003c")
}

/// The template with `{{name}}` replaced by its part; parts are not looked into.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut pieces = template.split("{{");
    let mut text = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").expect("every place of the template is closed");
        let (_, part) = parts.iter().find(|(known, _)| *known == name).expect("every place of the template has a part");
        text += part;
        text += rest;
    }
    text
}

/// plotly.js: the first of the scripts that the crate brings. The second, MathJax, sets formulas, and the page has none.
fn plotly_js() -> String {
    let scripts = Plot::offline_js_sources();
    let (_, from) = scripts.split_once('>').expect("the crate brings script elements");
    let (script, _) = from.split_once("</script>").expect("the crate brings script elements");
    script.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_script_of_the_crate_is_plotly_whole_and_alone() {
        let script = plotly_js();
        assert!(script.contains("* plotly.js v") && script.contains("newPlot") && !script.contains("MathJax.loader"));
        assert!(script.trim_end().ends_with("));"), "{}", &script[script.len() - 40..]);
    }

    /// What every report weighs, so that the default sweep's stays below 8 MB with its results.
    #[test]
    fn an_empty_page_is_below_five_megabytes() {
        let size = html(&Page::new(Vec::new(), false)).len();
        assert!((4_000_000..5_000_000).contains(&size), "{size}");
    }

    #[test]
    fn parts_are_not_looked_into() {
        assert_eq!(fill("<{{a}}|{{b}}>", &[("a", "{{b}}"), ("b", "2")]), "<{{b}}|2>");
    }
}
