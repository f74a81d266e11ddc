//! The files of one figure: SVG, PDF, PNG, the data, and the command that made them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use resvg::tiny_skia::{Color, Pixmap, Transform};
use svg2pdf::usvg::{self, Tree};

use crate::style::{self, Page};
use crate::{Figure, FigureError, Run, Sheet};

/// The files there can be of one figure, by their endings.
pub const ENDINGS: [&str; 5] = ["svg", "pdf", "png", "csv", "txt"];

/// Writes `<name>.svg`, `.pdf`, `.png`, `.csv` and `.txt` of a figure of these runs into `folder`, and gives their paths.
///
/// # Errors
/// As [`save_as`].
pub fn save(figure: &dyn Figure, runs: &[Run], folder: &Path, page: Page) -> Result<Vec<PathBuf>, FigureError> {
    save_as(figure, runs, folder, page, &ENDINGS)
}

/// Writes the files of a figure that have one of these endings.
///
/// All three pictures show one drawing. Equal runs give equal bytes. Each file appears whole or not at all.
///
/// # Errors
/// [`FigureError::NothingToShow`] where the run lacks what the figure needs; else what drawing, converting or writing met.
pub fn save_as(figure: &dyn Figure, runs: &[Run], folder: &Path, page: Page, endings: &[&str]) -> Result<Vec<PathBuf>, FigureError> {
    let knob = runs.first().map_or("", |run| run.knob);
    let nothing = || FigureError::NothingToShow { figure: figure.name(), knob: knob.into() };
    let table = figure.table(runs).ok_or_else(nothing)?;
    let mut sheet = Sheet::new(page);
    figure.draw(&table, &mut sheet)?;
    let note = format!("{}\n\n{}\n", figure.caption(), commands(runs));
    let svg = sheet.svg(figure.name(), &note)?;
    let tree = parsed(&svg)?;
    let bytes = |ending: &str| match ending {
        "svg" => Ok(svg.clone().into_bytes()),
        "pdf" => pdf(&tree),
        "png" => png(&tree),
        "csv" => Ok(table.to_csv().into_bytes()),
        _ => Ok(note.clone().into_bytes()),
    };
    fs::create_dir_all(folder).map_err(|source| FigureError::Write { path: folder.into(), source })?;
    endings.iter().map(|ending| write(&folder.join(format!("{}.{ending}", figure.name())), &bytes(ending)?)).collect()
}

/// The commands behind the runs, each once.
fn commands(runs: &[Run]) -> String {
    let mut lines: Vec<&str> = runs.iter().map(|run| run.command).collect();
    lines.dedup();
    lines.join("\n")
}

/// The drawing with its words shaped in the embedded font.
fn parsed(svg: &str) -> Result<Tree, FigureError> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(style::font_bytes().to_vec());
    let options = usvg::Options { fontdb: Arc::new(fonts), ..usvg::Options::default() };
    Tree::from_str(svg, &options).map_err(|e| FigureError::Convert { format: "a tree of shapes", reason: e.to_string() })
}

/// Vectors with selectable text in an embedded subset of the font.
fn pdf(tree: &Tree) -> Result<Vec<u8>, FigureError> {
    // The tree counts 96 units to the inch.
    let page = svg2pdf::PageOptions { dpi: 96.0 };
    let bytes = svg2pdf::to_pdf(tree, svg2pdf::ConversionOptions::default(), page);
    bytes.map(|b| in_order(&b)).map_err(|e| FigureError::Convert { format: "PDF", reason: e.to_string() })
}

/// The same PDF with neighbouring references of a dictionary sorted: the converter writes them in the order of a hash table, which differs
/// from run to run. No offset changes, since each dictionary keeps its length.
fn in_order(pdf: &[u8]) -> Vec<u8> {
    let reference = |line: &[u8]| line.trim_ascii_start().starts_with(b"/") && line.ends_with(b" 0 R\n");
    let mut lines: Vec<&[u8]> = pdf.split_inclusive(|byte| *byte == b'\n').collect();
    lines.chunk_by_mut(|a, b| reference(a) && reference(b)).for_each(<[&[u8]]>::sort);
    lines.concat()
}

fn png(tree: &Tree) -> Result<Vec<u8>, FigureError> {
    let failed = |reason: String| FigureError::Convert { format: "PNG", reason };
    let scale = style::PNG_DPI / 96.0;
    let (width, height) = ((tree.size().width() * scale).ceil(), (tree.size().height() * scale).ceil());
    let mut pixels = Pixmap::new(width as u32, height as u32).ok_or_else(|| failed(format!("{width} x {height} pixels")))?;
    pixels.fill(Color::WHITE);
    resvg::render(tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| failed(e.to_string()))
}

/// Writes under a temporary name, then renames: a reader never meets half a file.
fn write(path: &Path, bytes: &[u8]) -> Result<PathBuf, FigureError> {
    let failed = |source| FigureError::Write { path: path.into(), source };
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path)).map_err(failed)?;
    Ok(path.into())
}
