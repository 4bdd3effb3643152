import ArgumentParser
import Foundation
import LinearAlgebra
import Ranks

struct RanksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ranks",
    abstract: "A job over several processes: what each block's parts and the exchanges take, and the artifact's hash.",
    discussion: """
      To be started by mpirun or srun, as many times as there are to be ranks, with libgptqdmpi.so beside this program (make mpi); or \
      with --in-process for trials. Rank 0 prints. Without --samples, --length and --group: 32 sequences of 512 tokens, group 128. All \
      ranks need the model and the scratch folder under the same path.
      """)

  @OptionGroup var job: JobOptions

  @Flag(help: "Print one JSON document.")
  var json = false

  @Option(help: "Checkpoint folder in Hugging Face layout.")
  var model: String

  @Option(help: "Cores that each rank uses; 0: all.")
  var threads = 0

  @Option(help: "Folder for the artifact, which all ranks see, removed afterwards; otherwise the system's temporary folder.")
  var scratch: String?

  @Option(help: "So many ranks as threads of this process instead of MPI's.")
  var inProcess: Int?

  func validate() throws {
    guard threads >= 0 else { throw ValidationError("--threads must be at least 0, is \(threads)") }
    guard inProcess ?? 1 >= 1 else { throw ValidationError("--in-process must be at least 1, is \(inProcess ?? 0)") }
  }

  func run() throws {
    Cores.perJob = threads
    let specification = job.specification(model: URL(filePath: model), samples: 32, length: 512)
    let parent = scratch.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
    if let inProcess {
      let findings = ThreadRanks.run(inProcess) { try RankBenchmark(specification, ranks: $0, scratch: parent).measure() }
      return try report(findings[0].get())
    }
    let ranks = try MessagePassing()
    do {
      try report(RankBenchmark(specification, ranks: ranks, scratch: parent).measure())
      try ranks.finish()
    } catch {
      Report.note("rank \(ranks.rank): \(error)")
      // Rank 0 knows of it by then, and says so.
      ranks.endAll(status: 1, after: ranks.rank == 0 ? .zero : .seconds(10))
    }
  }

  /// - Parameter finding: nil on ranks that don't print.
  private func report(_ finding: RankFinding?) throws {
    guard let finding else { return }
    var report = Report(asJSON: json)
    report.add(finding)
    try report.finish()
  }
}
