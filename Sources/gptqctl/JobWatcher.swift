import Dispatch
import Foundation
import JobModel

/// Follows a job until it ends, over as many connections as that takes.
package struct JobWatcher {
  private let client: APIClient
  private let id: JobID
  private let display: WatchDisplay
  private let note: (String) -> Void

  /// - Parameter note: Told what a person wants to know of the connection.
  package init(client: APIClient, id: JobID, display: WatchDisplay, note: @escaping (String) -> Void = Terminal.note) {
    (self.client, self.id, self.display, self.note) = (client, id, display, note)
  }

  init(client: APIClient, id: JobID, json: Bool) { self.init(client: client, id: id, display: WatchDisplay(json: json)) }

  /// How a connection ended.
  private enum Outcome {
    case end(WatchState.End)
    case broken
    /// The server has no streams, or none left.
    case noStream
  }

  /// - Throws: `ClientError.jobEnded` unless the job succeeded.
  package func run() async throws {
    let interrupt = interruptHandler()
    defer { interrupt.cancel() }
    var state = WatchState(display: display)
    var patience = Patience(note: note)
    while true {
      do {
        switch try await follow(&state, &patience) {
        case .end(.ended): return try finish(state)
        case .end(.draining): try await patience.wait("the daemon is stopping; waiting for it to come back")
        case .end(.deleted): throw ClientError.noSuchJob(id.text, matching: 0)
        case .broken: try await patience.wait("the connection broke; connecting again")
        case .noStream:
          try await JobPoller(client: client, id: id).run(&state, &patience)
          return try finish(state)
        }
      } catch let error as ClientError {
        guard case .unreachable = error else { throw error }
        try await patience.wait("\(error); waiting for it", orThrow: error)
      }
    }
  }

  /// Reads one stream.
  private func follow(_ state: inout WatchState, _ patience: inout Patience) async throws -> Outcome {
    let headers = ["Accept": "text/event-stream", "Last-Event-ID": "\(state.lastEvent)"]
    let answer: StreamedAnswer
    do {
      answer = try await client.stream("/v1/jobs/\(id)/events", headers: headers)
    } catch ClientError.refused(let problem) where problem.code == .tooManyRequests || problem.code == .unavailable {
      return .noStream
    } catch ClientError.unexpectedAnswer(status: 502...504, _) {
      // A proxy's, before a daemon that is gone.
      return .broken
    }
    guard answer.contentType.hasPrefix("text/event-stream") else { return .noStream }
    var parser = EventStreamParser()
    do {
      for try await chunk in answer.chunks {
        let messages = try parser.add(chunk)
        // A daemon that is stopping yet has only the job and the end for who comes.
        if messages.isEmpty || messages.contains(where: { $0.id != nil || $0.event == "progress" }) { patience.end() }
        for message in messages {
          if let end = try state.take(message) { return .end(end) }
        }
      }
    } catch is URLError {
      return .broken
    } catch {
      throw ClientError.unexpectedAnswer(status: 200, path: "/v1/jobs/\(id)/events")
    }
    return .broken
  }

  private func finish(_ state: WatchState) throws { if let job = state.job { try display.end(job) } }

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
