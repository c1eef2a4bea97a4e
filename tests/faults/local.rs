//! Faults of this machine, not of a server: a run of each system's in a scene of its own, held to the nine promises.

use super::*;

/// Tries something with every system at once, each in a scene of its own.
pub fn each(work: impl Fn(&mut Scene) + Sync) {
    of(steps::usual_logins(), work);
}

/// The same with these steps.
pub fn of(steps: impl IntoIterator<Item = &'static Step>, work: impl Fn(&mut Scene) + Sync) {
    at_once(steps, |step| work(&mut Scene::new(step)));
}

/// The next login is answered well.
pub fn welcome(scene: &Scene) {
    scene.server.push(scene.before());
    scene.server.push([Reply::json(200, scene.good())]);
    scene.server.push(scene.after());
}

/// A run that hands a new session over on stdout.
pub fn delivered(scene: &Scene) -> Promise {
    let stdout = Stdout::Session(format!("{}\n", scene.given().token));
    Promise::exit(0).prints(stdout).replaced()
}

/// The stored session, which is handed over although nobody can be asked.
pub fn cached(scene: &Scene) -> Promise {
    let stdout = Stdout::Session(format!("{}\n", scene.given().token));
    Promise::exit(0).prints(stdout).offline()
}

/// A run that is refused before anything is sent.
pub fn before_any_request(code: i32, says: &[&str]) -> Promise {
    Promise::exit(code).offline().says(says)
}

/// A script for `bash` in which `crmauth` is the program, `T` its target and `PATH` a path of its system.
pub fn script(scene: &Scene, text: &str) -> Command {
    let text = text.replace(" T", &format!(" {}", scene.step.system));
    let text = text.replace("PATH", &format!("'{}'", scene.step.path()));
    scene.machine.shell_command("bash", &text)
}

/// Runs the command, holds it to the promise, and puts everything back to where it was.
#[track_caller]
pub fn hold(row: u8, scene: &Scene, command: Command, promise: &Promise) -> Run {
    let run = keep(row, scene, command, promise);
    scene.restore(&run);
    run
}

impl Scene {
    /// The same with a line of arguments.
    #[track_caller]
    pub fn hold(&self, row: u8, line: &str, promise: &Promise) -> Run {
        hold(row, self, self.command(line), promise)
    }
}

/// The same, and what the run has left stays.
#[track_caller]
pub fn keep(row: u8, scene: &Scene, command: Command, promise: &Promise) -> Run {
    let line = format!("{command:?}");
    let run = scene.run(command);
    let broken = promise.broken(scene, &run);
    let (step, line) = (
        scene.step.name,
        line.split("\"-c\"").last().unwrap_or(&line),
    );
    let told = format!("{}\n{}", broken.join("\n"), run.outcome);
    assert!(broken.is_empty(), "row {row}, {step}, {line}:\n{told}");
    run
}
