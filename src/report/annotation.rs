//! An error as the CI runner's own annotation, which it shows beside the job.

/// A runner that reads commands from what a step prints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Runner {
    GitHub,
    Azure,
}

impl Runner {
    /// The runner of a job; `is_true` says whether a variable is `true`.
    pub fn of_job(is_true: impl Fn(&str) -> bool) -> Option<Self> {
        let known = [("GITHUB_ACTIONS", Self::GitHub), ("TF_BUILD", Self::Azure)];
        known
            .into_iter()
            .find(|(name, _)| is_true(name))
            .map(|(_, runner)| runner)
    }

    /// The line that annotates the job with an error. A lone % would make an escape of what follows it.
    pub(super) fn annotation(self, text: &str) -> String {
        let (command, percent) = match self {
            Self::GitHub => ("::error title=crmauth::", "%25"),
            Self::Azure => ("##vso[task.logissue type=error]", "%AZP25"),
        };
        let text = text.replace('%', percent);
        format!(
            "{command}{}",
            text.replace('\r', "%0D").replace('\n', "%0A")
        )
    }
}
