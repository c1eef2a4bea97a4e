//! The one list of systems.

/// Hands every system to a macro, in the order in which people see them: the name of its modules in `provider`, in
/// `sandbox` and among the tests, and its type.
#[macro_export]
macro_rules! systems {
    ($then:ident) => {
        $then! {
            gluo Gluo,
            hellocloud HelloCloud,
            systemsway SystemsWay,
            broker Broker,
            zeev Zeev,
        }
    };
}
