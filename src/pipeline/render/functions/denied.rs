//! Functions of Sprig that are refused: they would read the environment, the clock, the network or random numbers, and a
//! rendering must give the same result whenever it is repeated.

use super::super::engine::go::Parameter::Any;
use super::super::engine::go::{Call, Function, variadic};

/// A function that fails with Open Cluster Management's words.
macro_rules! denied {
    ($name:literal, $reason:literal) => {
        variadic($name, &[], Any, {
            let call: Call = |_, _| {
                Err(concat!("use of denylisted template function: function '", $name, "' is ", $reason)
                    .to_owned())
            };
            call
        })
    };
    ($name:literal) => {
        denied!($name, "not allowed")
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    denied!("env", "considered a security risk"),
    denied!("expandenv", "considered a security risk"),
    denied!("ago"),
    denied!("bcrypt"),
    denied!("buildCustomCert"),
    denied!("decryptAES"),
    denied!("derivePassword"),
    denied!("encryptAES"),
    denied!("genCA"),
    denied!("genCAWithKey"),
    denied!("genPrivateKey"),
    denied!("genSelfSignedCert"),
    denied!("genSelfSignedCertWithKey"),
    denied!("genSignedCert"),
    denied!("genSignedCertWithKey"),
    denied!("getHostByName"),
    denied!("htpasswd"),
    denied!("now"),
    denied!("randAlpha"),
    denied!("randAlphaNum"),
    denied!("randAscii"),
    denied!("randBytes"),
    denied!("randInt"),
    denied!("randNumeric"),
    denied!("shuffle"),
    denied!("uuidv4"),
];
