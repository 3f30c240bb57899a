package resp

// Errors of the commands for the expiry of hash fields, in the words of Redis 7.4.
const (
	errFieldsMissing       = "ERR Mandatory argument FIELDS is missing or not at the right position"
	errFieldsCount         = "ERR The `numfields` parameter must match the number of arguments"
	errFieldsPositive      = "ERR Parameter `numFields` should be greater than 0"
	errFieldsInteger       = "ERR Number of fields must be a positive integer"
	errFieldExpireNegative = "ERR invalid expire time, must be >= 0"
)
