import ArgumentParser
import Foundation
import LinearAlgebra

/// Measures the parts of a job beside this machine's limits, in one run.
@main
struct GPTQDBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gptqd-bench", abstract: "Measures the parts of a job; every rate also as a share of sgemm's.")

  @Flag(help: "Print JSON.") var json = false

  private struct Line: Encodable {
    let name: String
    let median: Double
    let least: Double
    let most: Double
    let gigaflops: Double
    let shareOfPeak: Double
  }

  func run() throws {
    let peak = Benchmarks.productPeak()
    let measurements = try [
      peak, Benchmarks.gramPeak(), Benchmarks.hessianAccumulation(), Benchmarks.factorization(),
      Benchmarks.solver(rows: 3584, columns: 3584), Benchmarks.solver(rows: 1024, columns: 4096), Benchmarks.packing(),
    ]
    let lines = measurements.map {
      Line(
        name: $0.name, median: $0.median, least: $0.seconds[0], most: $0.seconds[$0.seconds.count - 1], gigaflops: $0.gigaflops,
        shareOfPeak: $0.gigaflops / peak.gigaflops)
    }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      print(String(decoding: try encoder.encode(lines), as: UTF8.self))
      return
    }
    print("\(BLASLibrary.configuration), \(Cores.perJob) cores")
    for line in lines {
      let name = line.name.padding(toLength: 30, withPad: " ", startingAt: 0)
      let rates = [line.median, line.least, line.most].map { String(format: "%8.4f", $0) }.joined(separator: " ")
      print(name + rates + String(format: " s %8.1f GFLOP/s %5.2f of sgemm", line.gigaflops, line.shareOfPeak))
    }
  }
}
