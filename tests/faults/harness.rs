//! A row of the matrix: a fault, the steps that it strikes, what comes of it. Each step is tried by every verb that
//! makes it, and every run is held to the nine promises.

use std::time::Instant;

use super::*;

/// How often a run is tried that had to be in time: a machine may be busy, a program that errs errs every time.
const TRIES: usize = 3;
/// How many steps are tried at once.
const AT_ONCE: usize = 6;

/// What strikes.
pub enum Fault {
    /// These answers to the step and to what comes after it; those before it are good.
    Answers(Vec<Reply>),
    /// The server itself: no request is read.
    Door,
}

impl From<Reply> for Fault {
    fn from(reply: Reply) -> Self {
        Self::Answers(vec![reply])
    }
}

impl From<Vec<Reply>> for Fault {
    fn from(replies: Vec<Reply>) -> Self {
        Self::Answers(replies)
    }
}

type Provoke = Box<dyn Fn(&mut Scene) -> Fault + Sync>;
type Make = Box<dyn Fn(&'static Step) -> Scene + Sync>;
type Adapt = Box<dyn Fn(&Scene, &mut Promise) + Sync>;

/// A row.
pub struct Row {
    number: u8,
    steps: Vec<&'static Step>,
    brief: bool,
    make: Make,
    provoke: Option<Provoke>,
    promise: Promise,
    suspect: bool,
    timeout: Option<f64>,
    measured: bool,
    noted: Option<&'static str>,
    adapt: Vec<Adapt>,
}

/// How a verb makes a step, with another level of chatter each.
#[derive(Debug, Clone, Copy)]
struct Way {
    line: &'static str,
    on_failure: &'static str,
}

impl Way {
    fn verb(self) -> &'static str {
        self.line.split(' ').next().unwrap_or_default()
    }
}

/// The answer to a call of the user's own.
const CALLED: &str = "{\"called\":true}";

const fn way(line: &'static str) -> Way {
    or(line, "")
}

const fn or(line: &'static str, on_failure: &'static str) -> Way {
    Way { line, on_failure }
}

const LOGIN: &[Way] = &[
    way("login T"),
    or("login T -f sh -vv", "false\n"),
    way("login T --json -vv"),
    way("token T -o session.txt -v"),
    way("exec T -vv -- env"),
    way("api T PATH -v"),
];
const RENEWAL: &[Way] = &[
    way("token T -vv"),
    way("exec T -v -- env"),
    way("api T PATH --json"),
];
const CHECK: &[Way] = &[way("status T --check -vv"), way("status T --check --json")];
const REVOCATION: &[Way] = &[way("logout T -vv"), way("logout T --json")];
const CALL: &[Way] = &[way("api T PATH -vv"), way("api T PATH --json")];

impl Row {
    /// The row of this number in the matrix of faults.
    pub fn new(number: u8) -> Self {
        Self {
            number,
            steps: Vec::new(),
            brief: false,
            make: Box::new(Scene::new),
            provoke: None,
            promise: Promise::exit(0),
            suspect: false,
            timeout: None,
            measured: false,
            noted: None,
            adapt: Vec::new(),
        }
    }

    /// The same, which strikes these steps.
    pub fn of(number: u8, steps: impl IntoIterator<Item = &'static Step>) -> Self {
        Self::new(number).at(steps)
    }

    /// The steps that it strikes.
    pub fn at(mut self, steps: impl IntoIterator<Item = &'static Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// One verb a step is enough: another variant has tried all.
    pub fn brief(mut self) -> Self {
        self.brief = true;
        self
    }

    /// The same, unless it is that variant.
    pub fn brief_unless(self, first: bool) -> Self {
        if first { self } else { self.brief() }
    }

    /// Another scene than one over plain HTTP.
    pub fn scene(mut self, make: impl Fn(&'static Step) -> Scene + Sync + 'static) -> Self {
        self.make = Box::new(make);
        self
    }

    /// The fault. It is provoked anew for every run.
    pub fn fault<F: Into<Fault>>(
        mut self,
        provoke: impl Fn(&mut Scene) -> F + Sync + 'static,
    ) -> Self {
        self.provoke = Some(Box::new(move |scene| provoke(scene).into()));
        self
    }

    /// Answers with status 200 that are not what they should be.
    pub fn answer<B: AsRef<[u8]>>(self, body: impl Fn(&Scene) -> B + Sync + 'static) -> Self {
        self.fault(move |scene| Reply::json(200, body(scene)))
    }

    /// The exit code; `exec` makes 125 of it.
    pub fn exit(mut self, code: i32) -> Self {
        self.promise.exit = code;
        self
    }

    /// An exit code, and what stands on stderr.
    pub fn fails<T: AsRef<str>>(self, code: i32, texts: &[T]) -> Self {
        self.exit(code).says(texts)
    }

    /// What stands on stderr.
    pub fn says<T: AsRef<str>>(mut self, texts: &[T]) -> Self {
        self.promise = self.promise.says(texts);
        self
    }

    /// What stands there at -v, and not without it.
    pub fn notes(mut self, text: &'static str) -> Self {
        self.noted = Some(text);
        self
    }

    /// What does not.
    pub fn unsaid(mut self, texts: &[&str]) -> Self {
        let texts = texts.iter().map(|text| (*text).to_owned());
        self.promise.unsaid.extend(texts);
        self
    }

    /// A login may have worked, so that a single seat's session may have ended.
    pub fn suspect(mut self) -> Self {
        self.suspect = true;
        self
    }

    /// How often what carries a secret may go out.
    pub fn sent(mut self, times: usize) -> Self {
        self.promise.sent = times;
        self
    }

    /// How often the program connects.
    pub fn connects(mut self, times: usize) -> Self {
        self.promise.connections = Some(times);
        self
    }

    /// The program's time-out in seconds.
    pub fn timeout(mut self, seconds: f64) -> Self {
        self.timeout = Some(seconds);
        self.promise.timeout = Duration::from_secs_f64(seconds);
        self
    }

    /// The memory counts too.
    pub fn measured(mut self) -> Self {
        self.measured = true;
        self
    }

    /// What is different for some of the steps.
    pub fn but(mut self, adapt: impl Fn(&Scene, &mut Promise) + Sync + 'static) -> Self {
        self.adapt.push(Box::new(adapt));
        self
    }

    /// Tries all of it.
    #[track_caller]
    pub fn check(self) {
        assert!(!self.steps.is_empty(), "a row without steps");
        let measured = self.measured && installed("time");
        let broken = std::sync::Mutex::new(Vec::new());
        // Runs that wait do no work meanwhile.
        let many = self.timeout.map_or(AT_ONCE, |_| self.steps.len());
        for steps in self.steps.chunks(many) {
            at_once(steps, |step| {
                let found = self.strike(step, measured);
                broken.lock().expect("no panic").extend(found);
            });
        }
        let (broken, number) = (broken.into_inner().expect("no panic"), self.number);
        assert!(broken.is_empty(), "row {number}:\n{}", broken.join("\n"));
    }

    fn strike(&self, step: &'static Step, measured: bool) -> Vec<String> {
        let mut scene = (self.make)(step);
        let ways = match step.kind {
            Kind::Login => LOGIN,
            Kind::Renewal => RENEWAL,
            Kind::Check => CHECK,
            Kind::Revocation => REVOCATION,
            Kind::Call => CALL,
        };
        let ways = if self.brief { &ways[..1] } else { ways };
        let tried = ways
            .iter()
            .flat_map(|way| self.try_way(&mut scene, *way, measured));
        tried.collect()
    }

    fn try_way(&self, scene: &mut Scene, way: Way, measured: bool) -> Vec<String> {
        let line = match self.timeout {
            None => way.line.to_owned(),
            Some(seconds) => way.line.replace(" T", &format!(" T --timeout {seconds}")),
        };
        let mut broken = Vec::new();
        for _ in 0..TRIES {
            let provoke = self.provoke.as_ref().expect("a fault");
            let answers = provoke(scene);
            let mut promise = self.promise(scene, way);
            if let Fault::Answers(answers) = answers {
                let works = promise.exit == 0;
                let call = works && way.verb() == "api" && scene.step.kind != Kind::Call;
                scene.server.push(scene.before());
                scene.server.push(answers);
                scene
                    .server
                    .push(works.then(|| scene.after()).into_iter().flatten());
                scene.server.push(call.then(|| Reply::json(200, CALLED)));
            }
            let command = scene.command(&line);
            let slept = |seconds| std::thread::spawn(move || late(seconds));
            let control = self.timeout.map(slept);
            let run = match measured {
                true => scene.measured(command),
                false => scene.run(command),
            };
            if let Some(control) = control {
                promise.timeout += control.join().expect("a duration") * 2;
            }
            if let Some(peak) = run.peak {
                tell(self.number, scene.step.name, &line, run.took, peak);
            }
            broken = promise.broken(scene, &run);
            // A busy machine makes a run late, or lets it end before it has come as far as it should.
            let starts = ["G5", "G8", "\""];
            let late = |text: &String| starts.iter().any(|start| text.starts_with(start));
            let timed = self.timeout.is_some() || broken.iter().any(|text| text.starts_with("G5"));
            let again = timed && !broken.is_empty() && broken.iter().all(late);
            scene.restore(&run);
            let (name, stderr) = (scene.step.name, &run.outcome.stderr);
            broken
                .iter_mut()
                .for_each(|text| *text = format!("{name}, {line}: {text}\n{stderr}"));
            if !again {
                break;
            }
        }
        broken
    }

    fn promise(&self, scene: &Scene, way: Way) -> Promise {
        let mut promise = self.promise.clone();
        promise.place = Some(scene.host());
        let (kind, works) = (scene.step.kind, promise.exit == 0);
        let session = [&scene.given().token, "\n"].concat();
        match (kind, way.line) {
            (Kind::Login | Kind::Renewal, line) if works => {
                promise.entry = Kept::Replaced;
                promise.stdout = match line {
                    "login T" | "token T -vv" => Stdout::Session(session),
                    "token T -o session.txt -v" => {
                        promise.file = Kept::Becomes(scene.given().token.clone());
                        Stdout::Is(String::new())
                    }
                    _ if way.verb() == "api" => Stdout::Is(CALLED.to_owned()),
                    _ => Stdout::SessionIn,
                };
            }
            (Kind::Revocation, _) if works => {
                (promise.entry, promise.stdout) = (Kept::Dropped, Stdout::Anything)
            }
            (Kind::Login, _) if self.suspect => promise.suspect(scene),
            _ => {}
        }
        if !works {
            promise.stdout = Stdout::Is(way.on_failure.to_owned());
        }
        if let Some(text) = self.noted.filter(|_| way.line.contains(" -v")) {
            promise.says.push(text.to_owned());
        }
        for adapt in &self.adapt {
            adapt(scene, &mut promise);
        }
        // They list what became of each target, whatever it is.
        if way.verb() == "status" || way.line == "logout T --json" {
            promise.stdout = Stdout::Anything;
        }
        // The table says what was found out about the server, which only the JSON has beside the answer.
        if way.line == "status T --check -vv" && promise.exit == 6 {
            promise.says.clear();
        }
        if way.verb() == "exec" && promise.exit != 0 {
            promise.exit = 125;
        }
        promise
    }
}

/// How much longer than so many seconds a program takes that does nothing else but wait, on this machine and now.
fn late(seconds: f64) -> Duration {
    let started = Instant::now();
    let slept = Command::new("sleep").arg(seconds.to_string()).status();
    assert!(slept.expect("sleep").success());
    let took = started.elapsed();
    took.saturating_sub(Duration::from_secs_f64(seconds))
}

#[expect(clippy::print_stdout, reason = "cargo test shows it with --nocapture")]
fn tell(row: u8, step: &str, line: &str, took: Duration, peak: u64) {
    let millis = took.as_millis();
    println!("row {row}, {step}, {line}: {millis} ms, {peak} KiB");
}
