//! Processor time that processes have used, by `/proc`.

use std::{fs, path::Path};

/// Ticks a second of `/proc/<pid>/stat`: fixed for user space on Linux.
const TICKS: f64 = 100.0;

/// Seconds that the process `pid` has used.
pub fn of_process(pid: u32) -> f64 {
    seconds(&Path::new("/proc").join(pid.to_string()), 2)
}

/// Seconds that the processes of this name have used, those included that their parents of that name have buried: a server's sessions and its autovacuum.
pub fn of_name(name: &str) -> f64 {
    let Ok(processes) = fs::read_dir("/proc") else {
        return 0.0;
    };
    let paths = processes.filter_map(|entry| Some(entry.ok()?.path()));
    let named = paths.filter(|path| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name));
    named.map(|path| seconds(&path, 4)).sum()
}

/// Its first two times are its own, the other two those of the children that it has waited for.
fn seconds(process: &Path, times: usize) -> f64 {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th fields behind it, those of children follow.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
    let times = fields.skip(11).take(times);
    times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_time() {
        let before = of_process(std::process::id());
        let mut number = 1_u64;
        while of_process(std::process::id()) < before + 0.05 {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        let name = fs::read_to_string("/proc/self/comm").unwrap_or_default();
        assert!(of_name(name.trim_end()) >= before + 0.05);
    }
}
