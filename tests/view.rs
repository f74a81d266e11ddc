//! `mta-sim view`: what the server answers, to whom, and how it ends.

mod program;

use program::{TINY, program, run, succeed, unpublish};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};

/// A server, and the port it took.
struct Viewer {
    child: Child,
    port: u16,
}

impl Viewer {
    fn start(folder: &Path) -> Self {
        let mut child = program(folder).args(["view", "run", "--no-open"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://127.0.0.1:")).expect("it says its address");
        Viewer { child, port: address.trim_end_matches('/').parse().unwrap() }
    }

    /// Status and body of the answer to a request as it stands on the wire.
    fn ask(&self, method: &str, path: &str, host: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.into())
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, &format!("127.0.0.1:{}", self.port))
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &format!("sweep {TINY} --out run"));
    folder
}

#[test]
fn it_serves_the_page_and_its_data_and_nothing_else() {
    let folder = folder();
    let viewer = Viewer::start(folder.path());
    let (status, page) = viewer.get("/");
    assert!(status == 200 && page.contains("<!doctype html>") && page.contains("\"live\":true"), "{status}");
    let (status, data) = viewer.get("/data.json");
    assert!(status == 200 && data.contains("\"done\":8"), "{status} {data}");
    for path in [
        "/config.toml",
        "/../run/config.toml",
        "/%2e%2e/run/config.toml",
        "/shards/1-of-1.jsonl",
        "//etc/passwd",
        "/data.json/",
        "/favicon.ico",
    ] {
        assert_eq!(viewer.get(path).0, 404, "{path}");
    }
    let host = format!("localhost:{}", viewer.port);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(viewer.ask(method, "/", &host).0, 405, "{method}");
    }
    assert_eq!(viewer.ask("GET", "/state", &host).0, 200);
    for host in ["example.org", "127.0.0.1:1", "127.0.0.1.example.org", ""] {
        assert_eq!(viewer.ask("GET", "/data.json", host).0, 403, "{host}");
    }
}

#[test]
fn it_follows_the_journal_and_outlives_damage() {
    let folder = folder();
    let journal = unpublish(&folder.path().join("run"));
    ["results.parquet", "history.parquet", "manifest.json"]
        .iter()
        .for_each(|name| fs::remove_file(folder.path().join("run").join(name)).unwrap());
    let whole = fs::read_to_string(&journal).unwrap();
    let first: String = whole.split_inclusive('\n').take(3).collect();
    fs::write(&journal, &first).unwrap();
    let viewer = Viewer::start(folder.path());
    let state = viewer.get("/state").1;
    assert!(viewer.get("/data.json").1.contains("\"done\":3,\"total\":8"));
    fs::write(&journal, &whole[..first.len() + 100]).unwrap();
    assert_ne!(viewer.get("/state").1, state);
    assert!(viewer.get("/data.json").1.contains("\"done\":3,"), "a line without its end waits");
    fs::write(&journal, &whole).unwrap();
    assert!(viewer.get("/data.json").1.contains("\"done\":8,"));
    fs::write(&journal, format!("{whole}notes\n")).unwrap();
    let (status, message) = viewer.get("/data.json");
    assert!(status == 500 && message.contains("1-of-1.jsonl: line 9 is damaged"), "{status} {message}");
    fs::write(&journal, &whole).unwrap();
    assert!(viewer.get("/data.json").1.contains("\"done\":8,"));
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = run(folder.path(), &format!("view run --no-open --port {port}"));
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(message.starts_with(&format!("error: --port {port}: cannot be used (")) && message.lines().count() == 1, "{message}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_well() {
    let folder = folder();
    let mut viewer = Viewer::start(folder.path());
    assert_eq!(viewer.get("/state").0, 200);
    let id = viewer.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(viewer.child.wait().unwrap().code(), Some(0));
}
