import Dispatch
import Foundation
import JobModel

/// Follows a job: a line for each finished layer, and a progress bar where the terminal can redraw.
struct JobWatcher {
  let client: APIClient
  let id: JobID
  let json: Bool

  /// - Throws: `ClientError.jobEnded` unless the job succeeded.
  func run() async throws {
    let interrupt = interruptHandler()
    defer { interrupt.cancel() }
    var lastEvent = 0
    var tag: String?
    while true {
      let answer = try await patiently {
        try await client.send(
          "GET", "/v1/jobs/\(id)?wait=\(tag == nil ? 0 : 20)", headers: tag.map { ["If-None-Match": $0] } ?? [:], allowing: [304])
      }
      guard answer.status != 304 else { continue }
      tag = answer.headers["etag"]
      let job = try APICoding.decode(Job.self, from: answer.body)
      try await showEvents(after: &lastEvent)
      if json {
        Terminal.printJSON(answer.body)
      } else if Terminal.isInteractive {
        Terminal.show(Terminal.clearLine + ProgressBar.line(job, width: Terminal.width))
      }
      if job.status.isEnded { return try finish(job) }
    }
  }

  private func finish(_ job: Job) throws {
    if !json {
      if Terminal.isInteractive { Terminal.show("\n") }
      print(JobSummary(job).text)
    }
    if job.status != .succeeded { throw ClientError.jobEnded(job.status) }
  }

  private func showEvents(after last: inout Int) async throws {
    while true {
      let path = "/v1/jobs/\(id)/events?after=\(last)&limit=200"
      let page = try await patiently { try await client.get(APIList<JobEvent>.self, path) }
      for event in page.data {
        last = event.sequence
        if !json, let line = Self.line(event) { Terminal.show((Terminal.isInteractive ? Terminal.clearLine : "") + line + "\n") }
      }
      guard page.hasMore else { return }
    }
  }

  private static func line(_ event: JobEvent) -> String? {
    switch event.kind {
    case .layer:
      guard let data = try? APICoding.encode(event.data), let layer = try? APICoding.decode(LayerRecord.self, from: data) else {
        return nil
      }
      let method = layer.degraded ? "degraded to \(layer.method?.rawValue ?? "–") since \(layer.cause?.rawValue ?? "–")  " : ""
      return "\(layer.name)  \(Formatting.shape(layer.shape))  \(method)damping \(Formatting.significant(layer.damping))  "
        + "relative loss \(Formatting.significant(layer.relativeLoss))  \(layer.seconds.map { Formatting.fixed($0, 2) } ?? "–") s"
    case .warning: return "warning: \(event.data["message"]?.stringValue ?? "")"
    case .download:
      return "\(event.data["file"]?.stringValue ?? "")  \(event.data["bytes"]?.intValue.map { Formatting.bytes($0) } ?? "")"
    case .stage: return event.data["stage"]?.stringValue
    case .interruption:
      return
        "the daemon had ended; the job goes on from its last finished block, \(event.data["layers_done"]?.intValue ?? 0) layers are done"
    case .damage: return "damaged: \(event.data["files"]?.arrayValue?.compactMap(\.stringValue).joined(separator: ", ") ?? "")"
    case .status, .attempt: return nil
    }
  }

  /// Tries again where the server can't be reached: it may be restarting, and the job survives that.
  private func patiently<Result>(_ body: () async throws -> Result) async throws -> Result {
    var pause = Duration.milliseconds(500)
    var waited = Duration.zero
    while true {
      do {
        return try await body()
      } catch let error as ClientError {
        guard case .unreachable = error, waited < .seconds(600) else { throw error }
        if waited == .zero { Terminal.note("\(error); waiting for it") }
        try await Task.sleep(for: pause)
        waited += pause
        pause = min(pause * 2, .seconds(10))
      }
    }
  }

  private func interruptHandler() -> any DispatchSourceSignal {
    signal(SIGINT, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    let id = id
    source.setEventHandler { @Sendable in
      Terminal.note("\nstopped watching; the job goes on (gptqctl watch \(id), gptqctl cancel \(id))")
      exit(130)
    }
    source.resume()
    return source
  }
}
