import Foundation
import Hummingbird
import JobModel
import JobStore
import NIOCore

/// What a route knows of a request besides the request itself.
struct APIContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  var query = Query()
  /// Whose request it is; nil where the daemon has no tokens, or needs none.
  var token: AccessToken?
  /// The connection that the request came by.
  let channel: any Channel

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }

  /// As in the log's entries about this request.
  var requestID: String { logger[metadataKey: "hb.request.id"]?.description ?? "unknown" }

  /// The text that a path has where its route has `:name`, percent-decoded.
  func pathText(_ name: String) -> String {
    let text = parameters.get(name) ?? ""
    return text.removingPercentEncoding ?? text
  }

  /// The text that a path has where its route has `**`: each segment percent-decoded once, with slashes between.
  var restOfPath: String { parameters.getCatchAll().map { $0.removingPercentEncoding ?? String($0) }.joined(separator: "/") }

  /// The job that the path names.
  ///
  /// - Throws: `Problem` (404).
  func requireJob(in repository: JobRepository) async throws -> Job {
    let text = pathText("id")
    guard let id = JobID(text), let job = try await repository.job(id) else { throw Problem.jobNotFound(text) }
    return job
  }
}
