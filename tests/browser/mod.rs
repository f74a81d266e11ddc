//! A headless Chromium, driven by the DevTools protocol (<https://chromedevtools.github.io/devtools-protocol/>).

use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// What the browser is called, by distribution.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A quiet browser of its own: no window, no first-run page, no calls home.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
];

/// Longest wait for anything: a loaded machine is slow, a broken page waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser {
    child: Child,
    profile: tempfile::TempDir,
    socket: Option<WebSocket<TcpStream>>,
    session: Option<String>,
    calls: u64,
    /// What the browser reported since the page was opened: requests, messages on the console, errors.
    pub events: Vec<Value>,
}

impl Browser {
    /// Starts a browser; none, with a line that says so, where no browser is installed.
    pub fn start() -> Option<Self> {
        let installed = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
        let Some(name) = NAMES.iter().find(installed) else {
            eprintln!("SKIPPED: no browser is installed (looked for {}); on Debian: apt-get install chromium", NAMES.join(", "));
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let own = format!("--user-data-dir={}", profile.path().display());
        let child = Command::new(name).args(FLAGS).arg(own).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut browser = Browser { child, profile, socket: None, session: None, calls: 0, events: Vec::new() };
        browser.connect();
        Some(browser)
    }

    fn connect(&mut self) {
        let file = self.profile.path().join("DevToolsActivePort");
        let port = wait("the browser to listen", || std::fs::read_to_string(&file).ok().filter(|text| text.lines().count() == 2));
        let (port, path) = port.split_once('\n').unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.socket = Some(tungstenite::client(format!("ws://127.0.0.1:{port}{}", path.trim()), stream).unwrap().0);
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let session = self.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}));
        self.session = session["sessionId"].as_str().map(String::from);
        ["Page.enable", "Runtime.enable", "Network.enable", "Log.enable"].iter().for_each(|method| drop(self.call(method, &json!({}))));
    }

    /// Calls a method of the protocol; events that come meanwhile are kept.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.socket.as_mut().unwrap().send(Message::text(message.to_string())).unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn read(&mut self) -> Value {
        let message = self.socket.as_mut().unwrap().read().expect("the browser answers");
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", &json!({"url": url}));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.read();
            self.events.push(event);
        }
    }

    /// What `expression` is in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true, "awaitPromise": true}));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// What `expression` is in the page, as text.
    pub fn text(&mut self, expression: &str) -> String {
        self.evaluate(expression).as_str().unwrap_or_default().into()
    }

    /// Waits until `expression` is true in the page.
    pub fn until(&mut self, expression: &str) {
        wait(expression, || (self.evaluate(expression) == true).then_some(()));
    }

    /// Presses and releases a key, as a reader would.
    pub fn press(&mut self, key: &str, code: u32) {
        let types = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { types } else { "" };
            self.call(
                "Input.dispatchKeyEvent",
                &json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}),
            );
        }
    }

    /// Clicks in the middle of the element.
    pub fn click(&mut self, selector: &str) {
        let find = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let place = self.evaluate(&find);
        for kind in ["mousePressed", "mouseReleased"] {
            self.call("Input.dispatchMouseEvent", &json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}));
        }
    }

    /// What the page asked of the network, leaving out what it carries itself.
    pub fn requests(&self) -> Vec<&str> {
        let sent = self.events.iter().filter(|e| e["method"] == "Network.requestWillBeSent");
        let urls = sent.filter_map(|e| e["params"]["request"]["url"].as_str());
        urls.filter(|url| !url.starts_with("data:") && !url.starts_with("blob:")).collect()
    }

    /// Errors, and whatever stands on the console.
    pub fn complaints(&self) -> Vec<&Value> {
        let loud = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        self.events.iter().filter(|e| loud.iter().any(|method| e["method"] == *method)).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address of a file.
pub fn file_url(path: &Path) -> String {
    format!("file://{}", path.canonicalize().unwrap().display())
}

/// Waits until there is something.
fn wait<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(thing) = there() {
            return thing;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
