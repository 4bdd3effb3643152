import Foundation
import LinearAlgebra

/// What `gptqmodel.py` tells of one run.
struct PeerRun: Decodable, Sendable {
  /// Of `quantize()`.
  let seconds: Double
  /// Version.
  let gptqmodel: String
  /// Version.
  let torch: String

  /// - Parameter job: Tokens, bits and group size; its steps are ours only.
  static func run(_ job: JobSpecification, python: URL, scratch: URL) throws -> (run: PeerRun, memory: ChildProcess.PeakMemory) {
    try Interruption.withTemporaryFolder(in: scratch) { folder in
      let (script, result) = (folder.appending(component: "gptqmodel_run.py"), folder.appending(component: "result.json"))
      try Data(PackageResources.gptqmodel_py).write(to: script)
      let numbers = [job.samples, job.length, job.bits, job.groupSize ?? -1, Cores.perJob].map(String.init)
      let child = ChildProcess(
        executable: python, arguments: [script.path, job.model.path, job.tokens?.path ?? ""] + numbers + [result.path])
      let memory = try child.run(output: folder.appending(component: "log"), errors: true)
      do {
        return (try JSONDecoder().decode(PeerRun.self, from: Data(contentsOf: result)), memory)
      } catch {
        throw BenchError.unreadableResult(program: "gptqmodel.py", reason: "\(error)")
      }
    }
  }
}
