//! How large the comparison is.

/// The numbers of one comparison.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    /// True if it only has to be seen that everything works.
    pub(crate) quick: bool,
    /// Processors of this computer.
    pub(crate) processors: usize,
    /// SSH endpoints.
    pub(crate) endpoints: usize,
    /// So many at a time.
    pub(crate) parallel: usize,
    /// Rounds of the fleet's contests.
    pub(crate) rounds: usize,
    /// Bytes of the file that goes to all.
    pub(crate) small: u64,
    /// Bytes of the file that goes to one.
    pub(crate) big: u64,
    /// Rounds with it.
    pub(crate) big_rounds: usize,
    /// Sizes of the lab's fleets.
    pub(crate) labs: Vec<usize>,
    /// Virtual devices at a time.
    pub(crate) lab_parallel: usize,
    /// Devices that are planned from saved facts.
    pub(crate) planned: usize,
    /// Runs of what is measured by itself.
    pub(crate) repeats: usize,
}

impl Scale {
    /// The whole comparison.
    pub(crate) fn whole() -> Self {
        Scale {
            quick: false,
            processors: processors(),
            endpoints: 200,
            parallel: 50,
            rounds: 3,
            small: 5 << 20,
            big: 256 << 20,
            big_rounds: 5,
            labs: vec![50, 200, 1000],
            lab_parallel: 100,
            planned: 10_000,
            repeats: 3,
        }
    }

    /// As small as can be.
    pub(crate) fn quick() -> Self {
        Scale {
            quick: true,
            endpoints: 6,
            parallel: 3,
            rounds: 1,
            small: 300 << 10,
            big: 4 << 20,
            big_rounds: 1,
            labs: vec![6],
            lab_parallel: 6,
            planned: 200,
            repeats: 1,
            ..Scale::whole()
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
