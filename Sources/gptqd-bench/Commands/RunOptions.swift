import ArgumentParser
import Foundation
import LinearAlgebra

/// Options of every command that measures.
struct RunOptions: ParsableArguments {
  @Flag(help: "Print one JSON document.")
  var json = false

  @Option(help: "Runs of each measurement; otherwise 3, or 1 where a run takes more than 10 seconds.")
  var runs: Int?

  @Option(help: "Cores to use; 0: all.")
  var threads = 0

  @Option(help: "Folder for checkpoints and artifacts, removed afterwards; otherwise the system's temporary folder.")
  var scratch: String?

  func validate() throws {
    guard runs ?? 1 >= 1 else { throw ValidationError("--runs must be at least 1, is \(runs ?? 0)") }
    guard threads >= 0 else { throw ValidationError("--threads must be at least 0, is \(threads)") }
  }

  /// Measures sgemm's peak, runs `body` and prints what it found.
  func report(_ body: (Session, inout Report) throws -> Void) throws {
    Cores.perJob = threads
    try Interruption.guarding {
      var report = Report(asJSON: json)
      let session = Session(
        peak: ProductPeak.measure(), runs: runs,
        scratch: scratch.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory)
      try body(session, &report)
      try report.finish()
    }
  }
}

/// What all measurements of a run share.
struct Session {
  let peak: ProductPeak
  /// nil: each decides.
  let runs: Int?
  let scratch: URL
}
