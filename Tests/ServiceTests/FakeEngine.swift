import Crypto
import Dispatch
import Foundation
import JobModel
import JobRunner
import JobStore
import Service
import Synchronization

/// Stands in for the engine. What a job does depends on its model's name: `quick` publishes files at once, `held` waits until
/// the test lets it go on or it is asked to stop, `stubborn` stops only when the test lets it, `unlucky` fails at its first
/// start, `broken` throws what nobody expects.
final class FakeEngine: JobPlanner, Sendable {
  static let layers = [
    LayerRecord(name: "model.layers.0.self_attn.q_proj", position: 0, block: 0, shape: [4, 8]),
    LayerRecord(name: "model.layers.0.mlp.down_proj", position: 1, block: 0, shape: [8, 4]),
  ]

  /// Of the artifact; the largest is read from disk in several parts.
  static let files: [String: Data] = [
    "model.safetensors": Data((0..<1000).map { UInt8($0 % 251) }), "empty.bin": Data(), "config.json": Data("{}\n".utf8),
    "large.bin": Data((0..<(2_500_000)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }),
  ]

  static let failure = Job.Failure(
    code: "not_positive_definite", layer: layers[1].name, cause: .incurable, detail: "no factor", tried: "damping up to 1",
    advice: "more text")

  private let running = Mutex<(any JobRecorder)?>(nil)
  private let gate = DispatchSemaphore(value: 0)
  private let (starts, start) = AsyncStream.makeStream(of: JobID.self)
  private let (requests, request) = AsyncStream.makeStream(of: JobID.self)

  /// Tells of the job that was started last, in its name.
  func report(_ progress: Job.Progress) throws { try running.withLock { $0 }?.progress(progress) }

  func warn(_ message: String) throws { try running.withLock { $0 }?.warning(message) }

  /// Lets one waiting job go on.
  func release() { gate.signal() }

  /// Returns when the next job has begun its work.
  func nextStart() async -> JobID? {
    var iterator = starts.makeAsyncIterator()
    return await iterator.next()
  }

  /// Returns when a stubborn job has been asked to stop.
  func nextRequestToStop() async -> JobID? {
    var iterator = requests.makeAsyncIterator()
    return await iterator.next()
  }

  func plan(_ request: JobRequest, files: JobFiles) throws -> JobPlan {
    if request.model == "unplannable" {
      throw Problem.invalidRequest([.init(pointer: "/quantization/group_size", detail: "is more than the layer has")])
    }
    return JobPlan(layers: Self.layers, warnings: request.quantization.bits == 2 ? ["2 bits lose much"] : [])
  }

  /// Refuses what Transformers calls a "mamba".
  func check(_ request: JobRequest, configuration: [UInt8]) throws {
    if String(decoding: configuration, as: UTF8.self).contains("mamba") { throw Problem.invalidModel("model_type \"mamba\" is unknown") }
  }

  @Sendable func work(
    _ job: Job, _ files: JobFiles, _ folders: JobFolders, _ cancellation: CancellationFlag, _ journal: any JobRecorder
  ) throws -> JobOutcome {
    try journal.stage(.quantizing)
    running.withLock { $0 = journal }
    start.yield(job.id)
    switch job.request.model {
    case "held":
      if !isReleased(unless: cancellation) { throw CancellationError() }
    case "stubborn":
      if !isReleased(unless: cancellation) {
        request.yield(job.id)
        gate.wait()
        throw CancellationError()
      }
    case "unlucky" where job.attempt == 1:
      try record(Self.layers[0], job, journal)
      throw Self.failure
    case "broken": throw POSIXError(.EIO)
    default: break
    }
    for layer in Self.layers { try record(layer, job, journal) }
    return .succeeded(
      try publish(job, folders), Job.Report(layers: Self.layers.count, seconds: 1), degraded: false)
  }

  /// Waits until the test lets the job go on; false where it is asked to stop before that.
  private func isReleased(unless cancellation: CancellationFlag) -> Bool {
    while gate.wait(timeout: .now() + .milliseconds(5)) == .timedOut {
      if cancellation.isCancelled { return false }
    }
    return true
  }

  private func record(_ layer: LayerRecord, _ job: Job, _ journal: any JobRecorder) throws {
    var layer = layer
    (layer.state, layer.attempts, layer.damping, layer.relativeLoss, layer.seconds) = (.done, 2, 0.1, 0.5, 0.5)
    for number in 1...2 {
      try journal.attempt(
        AttemptRecord(
          layer: layer.name, jobAttempt: job.attempt, number: number, cause: number == 1 ? .rankDeficient : nil,
          damping: number == 1 ? 0.01 : 0.1, precision: .float32, samples: 1, tokens: 8, info: number == 1 ? 3 : 0, seconds: 0.5,
          outcome: number == 1 ? .failed : .succeeded, at: Date()))
    }
    try journal.layer(layer)
  }

  private func publish(_ job: Job, _ folders: JobFolders) throws -> ArtifactManifest {
    try FileManager.default.createDirectory(at: folders.artifact, withIntermediateDirectories: true)
    let files = try Self.files.sorted { $0.key < $1.key }.map { name, data in
      try data.write(to: folders.artifact.appending(component: name))
      return ArtifactManifest.File(path: name, size: data.count, sha256: Self.sha256(data))
    }
    return ArtifactManifest(repo: "jobs/\(job.id)", revision: String(repeating: "0", count: 40), files: files)
  }

  static func sha256(_ data: Data) -> String {
    SHA256.hash(data: data).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}
