//! The page from a server on this machine, which follows a sweep that is running.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the page |
//! | `/state` | a number that changes when the run folder does |
//! | `/data.json` | what the page knows now |
//!
//! Everything else is 404, and no file is ever served by name. Only GET is answered, and only to a reader that calls the server by a name of this machine, so that
//! no web page elsewhere can read along.

use super::data::{Page, Section};
use crate::error::Error;
use crate::stop;
use crate::store::run::Watch;
use std::path::Path;
use std::time::Duration;
use tiny_http::{Header, Method, Request, Response, Server};

/// How long the server waits before it looks whether it should stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// A server that holds its port.
pub struct Viewer {
    server: Server,
    watch: Watch,
}

type Answer = Response<std::io::Cursor<Vec<u8>>>;

impl Viewer {
    /// Takes `port` of this machine (0: any that is free) for the run in `folder`.
    ///
    /// # Errors
    /// When the port is taken or not allowed, or the folder is no run folder or cannot be read.
    pub fn new(folder: &Path, port: u16) -> Result<Self, Error> {
        let watch = Watch::new(folder)?;
        watch.look()?;
        let refused = |e| Error::Usage(format!("--port {port}: cannot be used ({e}); choose another, or 0 for any that is free"));
        Ok(Viewer { server: Server::http(("127.0.0.1", port)).map_err(refused)?, watch })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.server.server_addr().to_ip().map_or(0, |address| address.port())
    }

    /// Answers until somebody asks to stop.
    pub fn run(mut self) -> Result<(), Error> {
        while !stop::asked() {
            let failed = |e| Error::Usage(format!("the server cannot go on: {e}"));
            if let Some(request) = self.server.recv_timeout(PATIENCE).map_err(failed)? {
                let answer = self.answer(&request);
                // A reader that went away is no error.
                let _ = request.respond(answer);
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if !self.is_for_us(request) {
            return plain(403, "this server answers to 127.0.0.1 and localhost only");
        }
        if *request.method() != Method::Get {
            return plain(405, "only GET").with_header(header("Allow", "GET"));
        }
        match request.url().split('?').next() {
            Some("/") => self.reply("text/html", super::html),
            Some("/data.json") => self.reply("application/json", super::json),
            Some("/state") => plain(200, &self.watch.size().to_string()),
            _ => plain(404, "nothing here; the report is at /"),
        }
    }

    /// Whether the request names this machine.
    fn is_for_us(&self, request: &Request) -> bool {
        let host = request.headers().iter().find(|h| h.field.equiv("Host")).map(|h| h.value.as_str());
        let port = self.port();
        host.is_some_and(|host| {
            ["127.0.0.1", "localhost"].iter().any(|name| host == format!("{name}:{port}") || (port == 80 && host == *name))
        })
    }

    fn reply(&mut self, kind: &str, text: fn(&Page) -> String) -> Answer {
        let page = self.watch.look().and_then(|run| Section::of(&run)).map(|section| Page::new(vec![section], true));
        page.map_or_else(|error| plain(500, &error.to_string()), |page| typed(kind, text(&page)))
    }
}

fn plain(status: u16, text: &str) -> Answer {
    typed("text/plain", format!("{text}\n")).with_status_code(status)
}

fn typed(kind: &str, text: String) -> Answer {
    let kind = header("Content-Type", &format!("{kind}; charset=utf-8"));
    Response::from_data(text)
        .with_header(kind)
        .with_header(header("Cache-Control", "no-store"))
        .with_header(header("X-Content-Type-Options", "nosniff"))
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("the server's headers are plain text")
}
