import Foundation
import FoundationNetworking
import JobModel
import Synchronization

/// An answer whose body is read as it comes.
package struct StreamedAnswer: Sendable {
  package let contentType: String
  /// Ends with the body; throws where the connection broke. Ends the connection when nobody reads it any more.
  package let chunks: AsyncThrowingStream<Data, any Error>
}

extension APIClient {
  /// - Parameter patience: Time without a byte after which the connection is taken for dead.
  /// - Throws: `ClientError`.
  package func stream(
    _ path: String, headers: [String: String], patience: Duration = .seconds(60)
  ) async throws -> StreamedAnswer {
    var request = try request("GET", path, headers: headers)
    request.timeoutInterval = patience / .seconds(1)
    let delegate = StreamDelegate()
    let session = URLSession(configuration: .ephemeral, delegate: delegate, delegateQueue: nil)
    let task = session.dataTask(with: request)
    delegate.onTermination { task.cancel() }
    let (status, contentType) = try await withTaskCancellationHandler {
      do {
        return try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<StreamDelegate.Head, any Error>) in
          delegate.onHead(continuation)
          task.resume()
          // The session keeps its delegate until its last task is over.
          session.finishTasksAndInvalidate()
        }
      } catch {
        throw ClientError.unreachable(url: base.absoluteString, reason: error.localizedDescription)
      }
    } onCancel: {
      task.cancel()
    }
    guard status == 200 else {
      var body = Data()
      for try await chunk in delegate.chunks where body.count < 1 << 20 { body += chunk }
      if let problem = try? APICoding.decode(Problem.self, from: body) { throw ClientError.refused(problem) }
      throw ClientError.unexpectedAnswer(status: status, path: path)
    }
    return StreamedAnswer(contentType: contentType, chunks: delegate.chunks)
  }
}

/// Passes on what the session tells, one call after the other.
private final class StreamDelegate: NSObject, URLSessionDataDelegate, Sendable {
  typealias Head = (status: Int, contentType: String)

  let chunks: AsyncThrowingStream<Data, any Error>
  private let chunk: AsyncThrowingStream<Data, any Error>.Continuation
  private let head = Mutex<CheckedContinuation<Head, any Error>?>(nil)

  override init() { (chunks, chunk) = AsyncThrowingStream.makeStream() }

  func onHead(_ continuation: CheckedContinuation<Head, any Error>) { head.withLock { $0 = continuation } }

  func onTermination(_ body: @escaping @Sendable () -> Void) { chunk.onTermination = { _ in body() } }

  private func takeHead() -> CheckedContinuation<Head, any Error>? { head.withLock { $0.take() } }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    let http = response as? HTTPURLResponse
    takeHead()?.resume(returning: (http?.statusCode ?? 0, http?.value(forHTTPHeaderField: "Content-Type")?.lowercased() ?? ""))
    completionHandler(.allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) { chunk.yield(data) }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    takeHead()?.resume(throwing: error ?? URLError(.badServerResponse))
    chunk.finish(throwing: error)
  }
}
