"""Sources of benchmarks: VIUBench from raw videos or a build, and question files."""
