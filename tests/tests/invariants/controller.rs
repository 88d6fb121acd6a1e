//! A controller in this process: the engine as the program wires it, but under watch.

use super::watch::{Watch, Watched};
use migos_engine::executor::Observer;
use migos_engine::rollout::Order;
use migos_events::{Outcome, Record};
use migos_inventory::DeviceId;
use migos_playbooks::plan::Plan;
use migos_report::{RunLines, Style};
use migos_tests::controller::{Controller, Ground};
use migos_tests::fleet::Bench;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

/// Without colours, in the width that the program takes where there is no terminal.
pub(crate) const STYLE: Style = Style { color: false, width: 100 };

/// A run of a whole lab.
pub(crate) struct Controlled<'a> {
    bench: &'a Bench,
    pub(crate) controller: Controller,
    pub(crate) watch: Arc<Watch>,
}

/// What an observer has heard of a run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) records: Vec<Record>,
    /// What was printed.
    pub(crate) lines: Vec<String>,
}

/// Hears everything, prints it, and reacts to it.
struct Listener {
    heard: Mutex<(RunLines, Heard)>,
    react: Box<dyn Fn(&Record) + Send + Sync>,
}

impl Observer for Listener {
    fn record(&self, record: &Record) {
        let mut heard = self.heard.lock().unwrap();
        let (lines, heard) = &mut *heard;
        heard.lines.extend(lines.record(record));
        heard.records.push(record.clone());
        (self.react)(record);
    }

    fn progress(&self, _device: &DeviceId, _done: u64, _total: u64) {}
}

impl<'a> Controlled<'a> {
    /// A new run, by the plan that the program makes.
    pub(crate) fn new(bench: &'a Bench) -> Self {
        let home = &bench.home;
        let args = ["plan", "lab/inventory.yaml", "--policy", "quick.yaml", "-o", "plan.json"];
        let ended = home.run(&args).unwrap();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let plan = Plan::from_json(&home.read("plan.json").unwrap()).unwrap().check().unwrap();
        let ground = Arc::new(Ground::of(bench).unwrap());
        let controller = Controller::new(ground, &home.path().join("runs"), plan).unwrap();
        let watch = Watch::over(controller.run.journal());
        Controlled { bench, controller, watch }
    }

    /// Lets a controller take up the run until it ends; gives what was heard meanwhile. `order` may interrupt it at
    /// a record.
    pub(crate) fn carry_on(
        &self,
        order: impl Fn(&Record) -> Option<Order> + Send + Sync + 'static,
    ) -> (Outcome, Heard) {
        let mut lines = RunLines::new(&self.controller.plan, STYLE, true);
        self.controller.records().unwrap().iter().for_each(|record| drop(lines.record(record)));
        let (orders_to, orders) = mpsc::channel(4);
        let react = Box::new(move |record: &Record| {
            if let Some(order) = order(record) {
                // One that was given already is enough.
                let _ = orders_to.try_send(order);
            }
        });
        let heard = Mutex::new((lines, Heard::default()));
        let listener = Arc::new(Listener { heard, react });
        let transport = Watched { real: self.controller.ssh(), watch: self.watch.clone() };
        let real = self.controller.ground().balena().unwrap();
        let balena = Watched { real, watch: self.watch.clone() };
        let ways = (transport, balena);
        let work = self.controller.carry_on(ways, listener.clone(), orders, Vec::new());
        let (outcome, _) = self.bench.runtime.block_on(work).unwrap();
        let heard = listener.heard.lock().unwrap().1.clone();
        (outcome, heard)
    }
}
