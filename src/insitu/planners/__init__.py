"""Pure planners: from a patch's splices, a storage's facts and a policy to candidate plans."""
