package resp

// framer finds whole commands in the bytes of a connection.
type framer struct{}
