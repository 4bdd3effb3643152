import HTTPTypes
import Hummingbird
import NIOCore

/// The description of the API.
struct OpenAPIRoutes {
  var routes: [Route] {
    [
      .get("openapi.json", isOpen: true) { request, _ in
        let headers: HTTPFields = [.eTag: OpenAPIDocument.tag, .cacheControl: "no-cache", .contentType: "application/json"]
        if let known = request.headers[.ifNoneMatch], EntityTag.matches(known, OpenAPIDocument.tag) {
          return Response(status: .notModified, headers: headers)
        }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: OpenAPIDocument.bytes)))
      }
    ]
  }
}
