//! A simulated fleet: virtual Pis that speak real SSH, and a balena API; with faults.

pub mod balena_api;
