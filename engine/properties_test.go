package engine

import "bitkv/internal/testenv"

func init() { testenv.FixProperties() }
