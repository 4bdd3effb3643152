import Foundation
import JobModel
import NIOCore
import NIOHTTP1

/// What the answer to a request depends on.
struct RequestLine {
  let isHead: Bool
  /// Without the query.
  let path: String

  init(_ head: HTTPRequestHead) {
    isHead = head.method == .HEAD
    path = String(head.uri.prefix { $0 != "?" })
  }
}

/// A problem document that ends its connection.
struct RefusalAnswer {
  let parts: [HTTPServerResponsePart]

  /// - Parameter line: nil where the request is too broken to have one.
  init(_ problem: Problem, to line: RequestLine?) {
    var problem = problem
    problem.instance = line?.path ?? "/"
    let body = (try? APICoding.encode(problem)) ?? Data()
    var headers: HTTPHeaders = [
      "Content-Type": "application/problem+json", "Content-Length": "\(body.count)", "Connection": "close", "Server": "gptqd",
      "Date": HTTPDate.now,
    ]
    if problem.status == 405 { headers.add(name: "Allow", value: "GET, HEAD, POST") }
    let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: problem.status), headers: headers)
    let content: [HTTPServerResponsePart] = line?.isHead == true ? [] : [.body(.byteBuffer(ByteBuffer(bytes: body)))]
    parts = [.head(head)] + content + [.end(nil)]
  }
}
